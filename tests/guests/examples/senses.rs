// SPDX-License-Identifier: Apache-2.0
//! Tells all that it can find out about the world, and waits as long as it can.
use cofferdam_sdk::prelude::*;
use std::collections::HashMap;
use std::io::Read;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

step!(run);

fn run(_ctx: &Context) -> Result<Verdict> {
    let started = Instant::now();
    // The host moves a step's clock, so an hour takes no time; a host that waited would end the step at its limit.
    std::thread::sleep(Duration::from_secs(3600));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    info!(
        "now {} waited {}",
        now.as_secs(),
        started.elapsed().as_nanos()
    );

    let args: Vec<String> = std::env::args().collect();
    let env: Vec<(String, String)> = std::env::vars().collect();
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input)?;
    info!("args {args:?} env {env:?} stdin {input:?}");

    let mut map = HashMap::new();
    for n in 0..20 {
        map.insert(n, n);
    }
    info!("order {:?}", map.keys().collect::<Vec<_>>());
    info!("float {:x}", (f64::NAN + 1.0).to_bits());
    for entry in std::fs::read_dir("/data")? {
        let entry = entry?;
        let meta = entry.metadata()?;
        info!(
            "{:?} {} {:?}",
            entry.file_name(),
            meta.len(),
            meta.modified()?
        );
    }
    Ok(Verdict::Ok)
}
