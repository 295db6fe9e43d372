// SPDX-License-Identifier: Apache-2.0
//! Large files and files built to be slow: each is read or refused in a time that grows with its size only.

mod common;

use std::time::Duration;
use std::time::Instant;

use cofferdam_config::Document;
use cofferdam_config::Format;
use cofferdam_config::MAX_BYTES;

const FORMATS: &[Format] = &[
    Format::Toml,
    Format::Json,
    Format::Ini,
    Format::Env,
    Format::Yaml,
];

/// Far above what any of them takes; far below what a quadratic one would.
const PATIENCE: Duration = Duration::from_mins(1);

#[test]
fn no_repetition_of_a_few_bytes_takes_long() {
    let patterns = [
        "a",
        " ",
        "\n",
        "\"",
        "'",
        "'''",
        "\"\"\"",
        "[",
        "{",
        "]",
        "=",
        "a=",
        "a.",
        "[a.",
        "a: ",
        "- ",
        "? ",
        "/*",
        "//",
        ",",
        "#",
        " #",
        "# \n",
        "a=1\n",
        "[a]\n",
        "[[a]]\n",
        "a: |\n  #x\n",
        "&a ",
        "*a ",
        "!a ",
        "\\",
        "{\"a\":",
        "[1,",
        "\r",
        "\t",
        "a:\n",
        "a='\n",
        "export ",
        "<<: ",
        "\u{feff}",
        "- - a\n",
        "%a\n",
        "---\n",
    ];
    for format in FORMATS {
        for pattern in patterns {
            for before in ["", "a = [", "{\"a\":[", "a: \"", "a: [", "a='"] {
                let file = format!("{before}{}", pattern.repeat(10_000 / pattern.len()));
                let started = Instant::now();
                let _ = Document::parse(*format, file.into_bytes());
                assert!(
                    started.elapsed() < Duration::from_secs(5),
                    "{format}: {before}{pattern}…"
                );
            }
        }
    }
}

#[test]
fn large_ordinary_files_are_read_and_edited() {
    for format in FORMATS {
        let mut file = String::new();
        if *format == Format::Json {
            file.push_str("{\n");
        }
        let mut number = 0;
        while file.len() < MAX_BYTES / 32 {
            let section = match format {
                Format::Toml | Format::Ini => format!("[s{number}]\n# c\nkey = 'value' # x\n\n"),
                Format::Json => format!("  \"s{number}\": {{\"key\": \"value\"}},\n"),
                Format::Env => format!("# c\nS{number}='value' # x\n\n"),
                Format::Yaml => format!("s{number}:\n  # c\n  key: |\n    value\n    # d\n\n"),
            };
            file.push_str(&section);
            number += 1;
        }
        if *format == Format::Json {
            file.push_str("  \"end\": 1\n}\n");
        }
        let started = Instant::now();
        let mut document = common::open(*format, &file);
        let last = number - 1;
        let (key, new) = match format {
            Format::Env => (format!("S{last}"), "NEW".to_owned()),
            _ => (format!("s{last}.key"), "new.key".to_owned()),
        };
        common::set(&mut document, &key, "other");
        common::rename(&mut document, &key, &new);
        common::remove(&mut document, &new);
        assert!(
            started.elapsed() < PATIENCE,
            "{format}: {:?}",
            started.elapsed()
        );
    }
}
