// SPDX-License-Identifier: Apache-2.0
//! Asks for keys that are too long, too deep or no keys at all, and sets values of the same sort.
use cofferdam_sdk::prelude::*;

step!(run);

fn run(_ctx: &Context) -> Result<Verdict> {
    let names = [
        "k".repeat(1 << 20),
        format!("net.{}", "k".repeat(1 << 20)),
        "k.".repeat(1 << 19) + "k",
        "\"".repeat(1 << 20),
        ".".repeat(1 << 20),
        "a:".repeat(1 << 19),
        String::new(),
        "net.\u{1b}[2J".to_owned(),
        "net.line\nfeed".to_owned(),
    ];
    for name in &names {
        let shown: String = name.escape_debug().take(12).collect();
        let got = config::get::<config::Value>(name).map(|value| value.is_some());
        let listed = config::list(name).map(|keys| keys.len());
        for (what, answer) in [
            ("get", told(got)),
            ("set", told(config::set(name, 1))),
            ("move", told(config::rename("net.port", name))),
            ("back", told(config::rename(name, "net.port"))),
            ("remove", told(config::remove(name))),
            ("list", told(listed)),
        ] {
            info!("{what} {shown}: {answer}");
        }
    }
    for value in ["v".repeat(5 << 20), "line\nADMIN = 1\n[root]\n".to_owned()] {
        let shown: String = value.escape_debug().take(12).collect();
        info!("value {shown}: {}", told(config::set("net.host", value)));
    }
    Ok(Verdict::Ok)
}

/// An answer, and of a long one its ends: the host's words may quote the key.
fn told<T: std::fmt::Debug>(answer: Result<T, config::Error>) -> String {
    let text: Vec<char> = match answer {
        Ok(value) => format!("ok {value:?}"),
        Err(error) => format!("{:?}", error.kind()),
    }
    .chars()
    .collect();
    let (head, tail) = text.split_at(text.len().min(12));
    let tail = &tail[tail.len().saturating_sub(60)..];
    head.iter().chain(tail).collect()
}
