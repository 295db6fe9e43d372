// SPDX-License-Identifier: Apache-2.0
//! A `migrate`: every key of `[net]` moves to `[server]`, as the operator wrote it.

use cofferdam_sdk::prelude::*;

step!(move_net_section);

fn move_net_section(_ctx: &Context) -> Result<Verdict> {
    move_keys()?;
    Ok(Verdict::Ok)
}

fn move_keys() -> Result<()> {
    let already = config::list("server")?;
    for key in config::list("net")? {
        let Some(name) = key.strip_prefix("net.") else {
            continue;
        };
        let new_key = format!("server.{name}");
        if already.contains(&new_key) {
            config::remove(&key)?;
            warn!("{key} was dropped: {new_key} is set, and counts");
        } else {
            config::rename(&key, &new_key)?;
            info!("{key} is now {new_key}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_moves_with_its_value() {
        config::set("net.host", "127.0.0.1").unwrap();
        config::set("net.port", 7410).unwrap();
        move_keys().unwrap();
        assert_eq!(config::list("").unwrap(), ["server.host", "server.port"]);
        assert_eq!(config::get::<u16>("server.port").unwrap(), Some(7410));
    }

    #[test]
    fn what_the_operator_already_moved_counts() {
        config::set("net.port", 1).unwrap();
        config::set("server.port", 2).unwrap();
        move_keys().unwrap();
        assert_eq!(config::list("").unwrap(), ["server.port"]);
        assert_eq!(config::get::<u16>("server.port").unwrap(), Some(2));
    }

    #[test]
    fn a_second_run_changes_nothing() {
        config::set("net.host", "::1").unwrap();
        move_keys().unwrap();
        move_keys().unwrap();
        assert_eq!(config::list("").unwrap(), ["server.host"]);
    }
}
