// SPDX-License-Identifier: Apache-2.0
//! `wasi:clocks`: both stand still. Whoever waits has waited.

use crate::state::State;
use crate::table;
use crate::wasi::io::Ready;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::sync::clocks::monotonic_clock;
use wasmtime_wasi::p2::bindings::sync::clocks::wall_clock;
use wasmtime_wasi::p2::bindings::sync::io::poll::Pollable;

impl wall_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        Ok(wall_clock::Datetime {
            seconds: self.created_unix_s,
            nanoseconds: 0,
        })
    }

    fn resolution(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        Ok(wall_clock::Datetime {
            seconds: 1,
            nanoseconds: 0,
        })
    }
}

impl monotonic_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<monotonic_clock::Instant> {
        Ok(0)
    }

    fn resolution(&mut self) -> wasmtime::Result<monotonic_clock::Duration> {
        Ok(1)
    }

    fn subscribe_instant(
        &mut self,
        _when: monotonic_clock::Instant,
    ) -> wasmtime::Result<Resource<Pollable>> {
        Ok(table::push(&mut self.table, Ready)?)
    }

    fn subscribe_duration(
        &mut self,
        _when: monotonic_clock::Duration,
    ) -> wasmtime::Result<Resource<Pollable>> {
        Ok(table::push(&mut self.table, Ready)?)
    }
}
