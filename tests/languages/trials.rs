// SPDX-License-Identifier: Apache-2.0
//! Reaches for what no step has, says what it met, and then panics. Granted: `data/**`, to read.

use cofferdam_sdk::prelude::*;
use std::collections::HashMap;
use std::fmt::Display;
use std::fs;
use std::net::TcpStream;
use std::net::ToSocketAddrs;
use std::net::UdpSocket;

step!(trials);

#[expect(clippy::unnecessary_wraps, reason = "a step may fail; this one panics")]
fn trials(_ctx: &Context) -> Result<Verdict> {
    met("read what is not granted", fs::read("/private/key"));
    met("write what is not granted", fs::write("/data/new", "x"));
    met(
        "read a key that is not granted",
        config::get::<String>("private"),
    );
    met("connect", TcpStream::connect("127.0.0.1:9"));
    met("look a name up", "host.example:80".to_socket_addrs());
    met("send a datagram", UdpSocket::bind("0.0.0.0:0"));
    let record = HashMap::from([("schema", "1")]);
    let time = record.get("time");
    Ok(Verdict::refuse(
        *time.expect("the record has no `time of the record`"),
    ))
}

fn met<T, E: Display>(what: &str, attempt: Result<T, E>) {
    match attempt {
        Ok(_) => error!("{what}: it worked"),
        Err(error) => info!("{what}: {error}"),
    }
}
