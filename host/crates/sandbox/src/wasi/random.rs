// SPDX-License-Identifier: Apache-2.0
//! `wasi:random`: one generator, seeded by the host from the package and the step. Not random.

use crate::limits::RANDOM_BYTES;
use crate::state::State;
use rand_chacha::rand_core::Rng;
use wasmtime_wasi::p2::bindings::sync::random::insecure;
use wasmtime_wasi::p2::bindings::sync::random::insecure_seed;
use wasmtime_wasi::p2::bindings::sync::random::random;

impl State {
    fn random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        if len > RANDOM_BYTES {
            wasmtime::bail!(
                "asked for {len} random bytes at once; at most {RANDOM_BYTES} are given"
            );
        }
        let mut bytes = vec![0; len as usize];
        self.random.fill_bytes(&mut bytes);
        Ok(bytes)
    }
}

impl random::Host for State {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(len)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.random.next_u64())
    }
}

impl insecure::Host for State {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(len)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.random.next_u64())
    }
}

impl insecure_seed::Host for State {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        Ok((self.random.next_u64(), self.random.next_u64()))
    }
}
