// SPDX-License-Identifier: Apache-2.0
//! Our own interfaces: configuration keys, log, progress. Each call becomes a message to the host.

use crate::access::ConfigRefusal;
use crate::access::Level;
use crate::bindings::cofferdam::step::config;
use crate::bindings::cofferdam::step::log;
use crate::bindings::cofferdam::step::progress;
use crate::bindings::cofferdam::step::types;
use crate::child::messages::Reply;
use crate::child::messages::Request;
use crate::child::messages::Said;
use crate::log::clean;
use crate::state::State;
use cofferdam_config::Scalar;
use cofferdam_config::Value;

/// The part of a progress message that is passed on.
const PROGRESS_BYTES: usize = 200;

impl types::Host for State {}

impl config::Host for State {
    fn get(
        &mut self,
        key: String,
    ) -> wasmtime::Result<Result<Option<config::Value>, config::Error>> {
        match self.ask(Request::Get(key))? {
            Reply::Value(answer) => Ok(answer.map(|v| v.map(to_guest)).map_err(refusal)),
            other => Err(mixed_up(&other)),
        }
    }

    fn set(
        &mut self,
        key: String,
        value: config::Value,
    ) -> wasmtime::Result<Result<(), config::Error>> {
        match self.ask(Request::Set(key, from_guest(value)))? {
            Reply::Done(answer) => Ok(answer.map_err(refusal)),
            other => Err(mixed_up(&other)),
        }
    }

    fn remove(&mut self, key: String) -> wasmtime::Result<Result<bool, config::Error>> {
        match self.ask(Request::Remove(key))? {
            Reply::Removed(answer) => Ok(answer.map_err(refusal)),
            other => Err(mixed_up(&other)),
        }
    }

    fn rename(
        &mut self,
        key: String,
        new_key: String,
    ) -> wasmtime::Result<Result<(), config::Error>> {
        match self.ask(Request::Rename(key, new_key))? {
            Reply::Done(answer) => Ok(answer.map_err(refusal)),
            other => Err(mixed_up(&other)),
        }
    }

    fn list(
        &mut self,
        prefix: Option<String>,
    ) -> wasmtime::Result<Result<Vec<String>, config::Error>> {
        match self.ask(Request::List(prefix))? {
            Reply::Keys(answer) => Ok(answer.map_err(refusal)),
            other => Err(mixed_up(&other)),
        }
    }
}

impl log::Host for State {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
            log::Level::Error => Level::Error,
        };
        for line in self.log.message(level, &message) {
            self.tell(&Said::Log(line));
        }
        Ok(())
    }
}

impl progress::Host for State {
    fn report(&mut self, done: u64, total: u64, message: String) -> wasmtime::Result<()> {
        let message = clean(&message, PROGRESS_BYTES).replace('\n', " ");
        self.tell(&Said::Progress(done, total, message));
        Ok(())
    }
}

fn mixed_up(reply: &Reply) -> wasmtime::Error {
    wasmtime::format_err!("the host answered another request: {reply:?}")
}

fn refusal(refusal: ConfigRefusal) -> config::Error {
    match refusal {
        ConfigRefusal::NotGranted => config::Error::NotGranted,
        ConfigRefusal::Secret => config::Error::Secret,
        ConfigRefusal::NoSuchKey => config::Error::NoSuchKey,
        ConfigRefusal::TypeMismatch(why) => config::Error::TypeMismatch(why),
        ConfigRefusal::Ambiguous(why) => config::Error::Ambiguous(why),
        ConfigRefusal::Refused(why) => config::Error::Refused(why),
    }
}

fn to_guest(value: Value) -> config::Value {
    match value {
        Value::Scalar(scalar) => config::Value::Scalar(scalar_to_guest(scalar)),
        Value::List(list) => {
            config::Value::Sequence(list.into_iter().map(scalar_to_guest).collect())
        }
    }
}

fn scalar_to_guest(scalar: Scalar) -> config::Scalar {
    match scalar {
        Scalar::Boolean(value) => config::Scalar::Boolean(value),
        Scalar::Integer(value) => config::Scalar::Integer(value),
        Scalar::Decimal(value) => config::Scalar::Decimal(value),
        Scalar::Text(value) => config::Scalar::Text(value),
    }
}

fn from_guest(value: config::Value) -> Value {
    match value {
        config::Value::Scalar(scalar) => Value::Scalar(scalar_from_guest(scalar)),
        config::Value::Sequence(list) => {
            Value::List(list.into_iter().map(scalar_from_guest).collect())
        }
    }
}

fn scalar_from_guest(scalar: config::Scalar) -> Scalar {
    match scalar {
        config::Scalar::Boolean(value) => Scalar::Boolean(value),
        config::Scalar::Integer(value) => Scalar::Integer(value),
        config::Scalar::Decimal(value) => Scalar::Decimal(value),
        config::Scalar::Text(value) => Scalar::Text(value),
    }
}
