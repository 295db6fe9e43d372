// SPDX-License-Identifier: Apache-2.0
//! `wasi:io`: streams that read and write on the spot, pollables that are always ready.
//!
//! The interface is made for waiting; a step has nothing to wait for. The one pollable there is, is
//! ready, and a blocking call is the plain call.

use crate::child::messages::Said;
use crate::fs::FileInput;
use crate::fs::FileOutput;
use crate::limits::CHUNK_BYTES;
use crate::log::Std;
use crate::state::State;
use crate::table;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::StreamError;
use wasmtime_wasi::p2::StreamResult;
use wasmtime_wasi::p2::bindings::sync::io::error;
use wasmtime_wasi::p2::bindings::sync::io::poll;
use wasmtime_wasi::p2::bindings::sync::io::poll::Pollable;
use wasmtime_wasi::p2::bindings::sync::io::streams;
use wasmtime_wasi::p2::bindings::sync::io::streams::InputStream;
use wasmtime_wasi::p2::bindings::sync::io::streams::OutputStream;

/// Where bytes come from.
#[derive(Debug)]
pub(crate) enum Input {
    Empty,
    File(FileInput),
}

/// Where bytes go.
#[derive(Debug)]
pub(crate) enum Output {
    Log(Std),
    File(FileOutput),
}

/// The only thing a step can poll.
#[derive(Debug)]
pub(crate) struct Ready;

impl error::Host for State {}

impl error::HostError for State {
    fn to_debug_string(&mut self, error: Resource<error::Error>) -> wasmtime::Result<String> {
        Ok(self.table.get(&error)?.to_string())
    }

    fn drop(&mut self, error: Resource<error::Error>) -> wasmtime::Result<()> {
        self.table.delete(error)?;
        Ok(())
    }
}

impl poll::Host for State {
    fn poll(&mut self, pollables: Vec<Resource<Pollable>>) -> wasmtime::Result<Vec<u32>> {
        if pollables.is_empty() {
            wasmtime::bail!("polled nothing");
        }
        Ok((0..pollables.len() as u32).collect())
    }
}

impl poll::HostPollable for State {
    fn ready(&mut self, _pollable: Resource<Pollable>) -> wasmtime::Result<bool> {
        Ok(true)
    }

    fn block(&mut self, _pollable: Resource<Pollable>) -> wasmtime::Result<()> {
        Ok(())
    }

    fn drop(&mut self, pollable: Resource<Pollable>) -> wasmtime::Result<()> {
        table::delete::<Ready, _>(&mut self.table, &pollable)?;
        Ok(())
    }
}

impl streams::Host for State {
    fn convert_stream_error(
        &mut self,
        error: StreamError,
    ) -> wasmtime::Result<streams::StreamError> {
        match error {
            StreamError::Closed => Ok(streams::StreamError::Closed),
            StreamError::LastOperationFailed(error) => Ok(
                streams::StreamError::LastOperationFailed(self.table.push(error)?),
            ),
            StreamError::Trap(error) => Err(error),
        }
    }
}

impl State {
    fn pull(&mut self, stream: &Resource<InputStream>, len: u64) -> StreamResult<Vec<u8>> {
        match table::get_mut::<Input, _>(&mut self.table, stream)? {
            Input::Empty => Err(StreamError::Closed),
            Input::File(file) => self.files.pull(file, len),
        }
    }

    fn put(&mut self, stream: &Resource<OutputStream>, bytes: &[u8]) -> StreamResult<()> {
        match table::get_mut::<Output, _>(&mut self.table, stream)? {
            Output::Log(std) => {
                for line in self.log.print(*std, bytes) {
                    self.tell(&Said::Log(line));
                }
                Ok(())
            }
            Output::File(file) => self.files.put(file, bytes),
        }
    }

    fn put_zeroes(&mut self, stream: &Resource<OutputStream>, len: u64) -> StreamResult<()> {
        if len > CHUNK_BYTES as u64 {
            return Err(StreamError::trap(
                "wrote more zeroes than `check-write` allows",
            ));
        }
        self.put(stream, &vec![0; len as usize])
    }

    fn move_over(
        &mut self,
        to: &Resource<OutputStream>,
        from: &Resource<InputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        let bytes = self.pull(from, len)?;
        self.put(to, &bytes)?;
        Ok(bytes.len() as u64)
    }
}

impl streams::HostInputStream for State {
    fn read(&mut self, stream: Resource<InputStream>, len: u64) -> StreamResult<Vec<u8>> {
        self.pull(&stream, len)
    }

    fn blocking_read(&mut self, stream: Resource<InputStream>, len: u64) -> StreamResult<Vec<u8>> {
        self.pull(&stream, len)
    }

    fn skip(&mut self, stream: Resource<InputStream>, len: u64) -> StreamResult<u64> {
        Ok(self.pull(&stream, len)?.len() as u64)
    }

    fn blocking_skip(&mut self, stream: Resource<InputStream>, len: u64) -> StreamResult<u64> {
        Ok(self.pull(&stream, len)?.len() as u64)
    }

    fn subscribe(
        &mut self,
        _stream: Resource<InputStream>,
    ) -> wasmtime::Result<Resource<Pollable>> {
        Ok(table::push(&mut self.table, Ready)?)
    }

    fn drop(&mut self, stream: Resource<InputStream>) -> wasmtime::Result<()> {
        table::delete::<Input, _>(&mut self.table, &stream)?;
        Ok(())
    }
}

impl streams::HostOutputStream for State {
    fn check_write(&mut self, _stream: Resource<OutputStream>) -> StreamResult<u64> {
        Ok(CHUNK_BYTES as u64)
    }

    fn write(&mut self, stream: Resource<OutputStream>, bytes: Vec<u8>) -> StreamResult<()> {
        self.put(&stream, &bytes)
    }

    fn blocking_write_and_flush(
        &mut self,
        stream: Resource<OutputStream>,
        bytes: Vec<u8>,
    ) -> StreamResult<()> {
        self.put(&stream, &bytes)
    }

    fn blocking_write_zeroes_and_flush(
        &mut self,
        stream: Resource<OutputStream>,
        len: u64,
    ) -> StreamResult<()> {
        self.put_zeroes(&stream, len)
    }

    fn write_zeroes(&mut self, stream: Resource<OutputStream>, len: u64) -> StreamResult<()> {
        self.put_zeroes(&stream, len)
    }

    fn flush(&mut self, _stream: Resource<OutputStream>) -> StreamResult<()> {
        Ok(())
    }

    fn blocking_flush(&mut self, _stream: Resource<OutputStream>) -> StreamResult<()> {
        Ok(())
    }

    fn splice(
        &mut self,
        stream: Resource<OutputStream>,
        from: Resource<InputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        self.move_over(&stream, &from, len)
    }

    fn blocking_splice(
        &mut self,
        stream: Resource<OutputStream>,
        from: Resource<InputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        self.move_over(&stream, &from, len)
    }

    fn subscribe(
        &mut self,
        _stream: Resource<OutputStream>,
    ) -> wasmtime::Result<Resource<Pollable>> {
        Ok(table::push(&mut self.table, Ready)?)
    }

    fn drop(&mut self, stream: Resource<OutputStream>) -> wasmtime::Result<()> {
        table::delete::<Output, _>(&mut self.table, &stream)?;
        Ok(())
    }
}
