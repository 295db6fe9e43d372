// SPDX-License-Identifier: Apache-2.0
//! Does what its lines say and tells how each went: `read data/a: ok hello`. The lines come as the
//! service's output, since that is the one long text a step is given; without one, from the file
//! `script` of the tree, or from one that ends in the number of the step: `script-1` of `step-1`. After
//! the line `strict` the first line that fails is the step's failure.
use cofferdam_sdk::prelude::*;
use std::fs;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::Write;
use std::path::Path;
use std::time::SystemTime;

step!(run);

fn run(ctx: &Context) -> Result<Verdict> {
    let script = match &ctx.service_output {
        output if output.is_empty() => fs::read_to_string(ctx.step.replace("step", "script"))
            .or_else(|_| fs::read_to_string("script"))
            .unwrap_or_default(),
        output => output.clone(),
    };
    let mut strict = false;
    for line in script.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if let ["strict"] = words[..] {
            strict = true;
            continue;
        }
        if let ["answer", answer] = words[..] {
            return Ok(match answer {
                "ok" => Verdict::Ok,
                "refuse" => Verdict::refuse("told to"),
                "defer" => Verdict::defer("told to", std::time::Duration::from_secs(60)),
                "healthy" => Verdict::Healthy,
                _ => Verdict::unhealthy("told to"),
            });
        }
        let result = match words[0] {
            "get" | "set" | "remove" | "move" | "keys" => keys(&words),
            _ => files(&words).map_err(|error| format!("{:?}", error.kind())),
        };
        match result {
            Ok(text) => info!("{line}: ok {text}"),
            Err(text) if strict => return Err(Error::new(format!("{line}: {text}"))),
            Err(text) => info!("{line}: {text}"),
        }
    }
    Ok(Verdict::Ok)
}

fn files(words: &[&str]) -> io::Result<String> {
    let nothing = |()| String::new();
    match *words {
        ["read", path] => fs::read_to_string(path),
        ["write", path, text] => fs::write(path, text).map(nothing),
        ["append", path, text] => fs::OpenOptions::new()
            .append(true)
            .open(path)?
            .write_all(text.as_bytes())
            .map(nothing),
        ["new", path] => fs::File::create_new(path).map(|_| String::new()),
        ["cut", path, size] => {
            let size = size.parse().map_err(io::Error::other)?;
            fs::OpenOptions::new()
                .write(true)
                .open(path)?
                .set_len(size)
                .map(nothing)
        }
        ["writeat", path, offset, text] => {
            let offset = offset.parse().map_err(io::Error::other)?;
            let mut file = fs::OpenOptions::new().write(true).open(path)?;
            file.seek(io::SeekFrom::Start(offset))?;
            file.write_all(text.as_bytes()).map(nothing)
        }
        ["fill", path, kib] => {
            let mut file = fs::File::create(path)?;
            for _ in 0..kib.parse().map_err(io::Error::other)? {
                file.write_all(&[b'x'; 1024])?;
            }
            Ok(String::new())
        }
        ["copy", from, to] => fs::copy(from, to).map(|bytes| bytes.to_string()),
        ["rename", from, to] => fs::rename(from, to).map(nothing),
        ["unlink", path] => fs::remove_file(path).map(nothing),
        ["rmdir", path] => fs::remove_dir(path).map(nothing),
        ["purge", path] => fs::remove_dir_all(path).map(nothing),
        ["mkdir", path] => fs::create_dir(path).map(nothing),
        ["mkdirs", path] => fs::create_dir_all(path).map(nothing),
        #[allow(deprecated, reason = "the portable name of it")]
        ["link", from, to] => fs::hard_link(from, to).map(nothing),
        ["symlink", target, path] => symlink(target, path).map(nothing),
        ["readlink", path] => fs::read_link(path).map(|target| target.display().to_string()),
        ["stat", path] => {
            let meta = fs::metadata(path)?;
            let time = meta
                .modified()?
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or_default();
            Ok(format!(
                "{} {} {}",
                kind(meta.file_type()),
                meta.len(),
                time.as_secs()
            ))
        }
        ["lstat", path] => fs::symlink_metadata(path).map(|meta| kind(meta.file_type()).to_owned()),
        ["exists", path] => Ok(Path::new(path).exists().to_string()),
        ["list", path] => {
            let names: io::Result<Vec<String>> = fs::read_dir(path)?
                .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
                .collect();
            Ok(names?.join(","))
        }
        ["touch", path] => fs::OpenOptions::new()
            .write(true)
            .open(path)?
            .set_modified(SystemTime::UNIX_EPOCH)
            .map(nothing),
        // Keeps a file open while its directory is moved, then goes on writing.
        ["hold", path, from, to, text] => {
            let mut file = fs::OpenOptions::new().read(true).write(true).open(path)?;
            fs::rename(from, to)?;
            file.seek(io::SeekFrom::End(0))?;
            file.write_all(text.as_bytes())?;
            file.rewind()?;
            let mut all = String::new();
            file.read_to_string(&mut all)?;
            Ok(all)
        }
        _ => Err(io::Error::other("no such line")),
    }
}

/// The standard library has no stable call for it on this target.
fn symlink(target: &str, path: &str) -> io::Result<()> {
    unsafe extern "C" {
        fn symlink(target: *const std::ffi::c_char, path: *const std::ffi::c_char) -> i32;
    }
    let (target, path) = (
        std::ffi::CString::new(target)?,
        std::ffi::CString::new(path)?,
    );
    // SAFETY: both are strings that end with a NUL and live over the call.
    let status = unsafe { symlink(target.as_ptr(), path.as_ptr()) };
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn kind(kind: fs::FileType) -> &'static str {
    if kind.is_dir() {
        "directory"
    } else if kind.is_symlink() {
        "symlink"
    } else if kind.is_file() {
        "file"
    } else {
        "other"
    }
}

fn keys(words: &[&str]) -> Result<String, String> {
    let nothing = |()| String::new();
    match *words {
        ["get", key] => config::get::<config::Value>(key).map(|value| format!("{value:?}")),
        ["get", key, "u16"] => config::get::<u16>(key).map(|value| format!("{value:?}")),
        ["set", key, value] => match value.parse::<i64>() {
            Ok(number) => config::set(key, number).map(nothing),
            Err(_) => config::set(key, value).map(nothing),
        },
        ["remove", key] => config::remove(key).map(|was| was.to_string()),
        ["move", key, new_key] => config::rename(key, new_key).map(nothing),
        ["keys", prefix] => config::list(prefix).map(|keys| keys.join(",")),
        _ => return Err("no such line".to_owned()),
    }
    .map_err(|error| format!("{:?}", error.kind()))
}
