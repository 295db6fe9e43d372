// SPDX-License-Identifier: Apache-2.0
//! Writes down, in `data/seen`, all that could tell one machine, one file system or one run from another:
//! what it is told of every file, in which order, how operations fail, clocks, randomness, arithmetic,
//! how much it can hold at once.
use cofferdam_sdk::prelude::*;
use std::collections::HashMap;
use std::ffi::CStr;
use std::ffi::CString;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;
use std::time::SystemTime;

step!(run);

fn run(ctx: &Context) -> Result<Verdict> {
    let mut seen = format!("{ctx:?}\n");
    world(&mut seen)?;
    walk("/", &mut seen)?;
    fs::create_dir("data/try")?;
    operations(&mut seen)?;
    walk("data/try", &mut seen)?;
    fs::remove_dir_all("data/try")?;
    fs::write("data/seen", seen)?;
    // Last, since nothing is left afterwards.
    let mut file = fs::File::create("data/pages")?;
    let mut pages = 0_u32;
    while core::arch::wasm32::memory_grow(0, 16) != usize::MAX {
        pages += 16;
    }
    file.write_all(&pages.to_le_bytes())?;
    Ok(Verdict::Ok)
}

/// Everything but files.
fn world(seen: &mut String) -> Result<()> {
    writeln!(seen, "wall clock {:?}", SystemTime::now())?;
    let started = Instant::now();
    let spun: u64 = (0..100_000).map(|number| black_box(number) ^ 1).sum();
    writeln!(seen, "{spun} took {:?}", started.elapsed())?;
    let arguments: Vec<String> = std::env::args().collect();
    let variables: Vec<(String, String)> = std::env::vars().collect();
    writeln!(
        seen,
        "{arguments:?} {variables:?} {:?}",
        std::env::current_dir()
    )?;
    let map: HashMap<u32, ()> = (0..50).map(|number| (number, ())).collect();
    writeln!(seen, "order {:?}", map.keys().collect::<Vec<_>>())?;
    let mut random = [0_u8; 64];
    // SAFETY: the buffer is as long as it is said to be.
    let filled = unsafe { libc::getentropy(random.as_mut_ptr().cast(), random.len()) };
    writeln!(seen, "random {filled} {random:?}")?;

    let (zero, none, one) = (black_box(0.0_f64), black_box(0.0_f64), black_box(-1.0_f64));
    let odd = [
        none / zero,
        one.sqrt(),
        f64::INFINITY * zero,
        -(none / zero),
        f64::NAN + one,
    ];
    writeln!(seen, "floats {:x?}", odd.map(f64::to_bits))?;
    let (zero, none, one) = (black_box(0.0_f32), black_box(0.0_f32), black_box(-1.0_f32));
    let odd = [
        none / zero,
        one.sqrt(),
        f32::INFINITY * zero,
        f32::from_bits(0x7fa0_0001) + one,
    ];
    writeln!(
        seen,
        "floats {:x?} {:?}",
        odd.map(f32::to_bits),
        black_box(0.1_f32).sin()
    )?;
    writeln!(seen, "{:?}", black_box(1e300_f64) as i32)?;

    let mut held = Vec::new();
    let refused = loop {
        match fs::File::open("data/a") {
            Ok(file) => held.push(file),
            Err(error) => break told::<()>(Err(error)),
        }
    };
    writeln!(seen, "holds {} files, then {refused}", held.len())?;
    drop(held);
    Ok(())
}

/// Every name below a directory, in the order in which it is given, with all that is said of it.
fn walk(directory: &str, seen: &mut String) -> Result<()> {
    writeln!(seen, "{directory}: {}", stat(directory)?)?;
    for (name, kind, inode) in listed(directory)? {
        if name.as_bytes() == b"." || name.as_bytes() == b".." {
            continue;
        }
        let path = Path::new(directory).join(name.to_str()?);
        let path = path.to_str().unwrap_or_default();
        writeln!(seen, "{name:?} {kind} {inode} {}", stat(path)?)?;
        let target = fs::read_link(path);
        writeln!(
            seen,
            "  leads to {}",
            told(target.as_ref().map_err(|e| io::Error::from(e.kind())))
        )?;
        if target.is_err() && fs::metadata(path)?.is_dir() {
            walk(path, seen)?;
        } else if let Ok(mut file) = fs::File::open(path) {
            let mut content = Vec::new();
            let end = file.read_to_end(&mut content);
            let sum = content.iter().fold(0_u64, |sum, byte| {
                sum.wrapping_mul(31).wrapping_add((*byte).into())
            });
            writeln!(seen, "  {} {sum:x}", told(end))?;
        }
    }
    Ok(())
}

/// The names in a directory with their kinds and inodes, as the C library gives them.
fn listed(directory: &str) -> Result<Vec<(CString, u8, u64)>> {
    let path = CString::new(directory)?;
    let mut names = Vec::new();
    // SAFETY: the path ends with a NUL; each entry is read before the next call.
    unsafe {
        let stream = libc::opendir(path.as_ptr());
        if stream.is_null() {
            return Err(io::Error::last_os_error().into());
        }
        while let Some(entry) = libc::readdir(stream).as_ref() {
            let name = CStr::from_ptr(entry.d_name.as_ptr().cast());
            names.push((name.to_owned(), entry.d_type, entry.d_ino));
        }
        libc::closedir(stream);
    }
    Ok(names)
}

/// All that is said of what stands at a path, itself and what it leads to.
fn stat(path: &str) -> Result<String> {
    let path = CString::new(path)?;
    let mut text = String::new();
    for flags in [libc::AT_SYMLINK_NOFOLLOW, 0] {
        // SAFETY: zeroes are a value of this plain structure, and the path ends with a NUL.
        let (answer, it) = unsafe {
            let mut it: libc::stat = std::mem::zeroed();
            (
                libc::fstatat(libc::AT_FDCWD, path.as_ptr(), &mut it, flags),
                it,
            )
        };
        if answer != 0 {
            write!(text, "[{:?}]", io::Error::last_os_error())?;
            continue;
        }
        let times = [it.st_atim, it.st_mtim, it.st_ctim].map(|time| (time.tv_sec, time.tv_nsec));
        write!(
            text,
            "[dev {} ino {} links {} mode {:o} of {}:{} rdev {} size {} in {} of {} at {times:?}]",
            it.st_dev,
            it.st_ino,
            it.st_nlink,
            it.st_mode,
            it.st_uid,
            it.st_gid,
            it.st_rdev,
            it.st_size,
            it.st_blocks,
            it.st_blksize,
        )?;
    }
    Ok(text)
}

/// How operations end whose errors file systems word differently.
fn operations(seen: &mut String) -> Result<()> {
    let at = |name: &str| format!("data/try/{name}");
    fs::create_dir_all(at("full/x"))?;
    for name in ["empty", "parent", "parent/child"] {
        fs::create_dir(at(name))?;
    }
    fs::write(at("file"), "content")?;
    let ends = [
        (
            "onto a full directory",
            told(fs::rename(at("empty"), at("full"))),
        ),
        (
            "onto an empty one",
            told(fs::rename(at("full/x"), at("empty"))),
        ),
        (
            "directory onto file",
            told(fs::rename(at("empty"), at("file"))),
        ),
        (
            "file onto directory",
            told(fs::rename(at("file"), at("empty"))),
        ),
        (
            "into itself",
            told(fs::rename(at("parent"), at("parent/child/p"))),
        ),
        (
            "onto what it is in",
            told(fs::rename(at("parent/child"), at("parent"))),
        ),
        ("full removed", told(fs::remove_dir(at("parent")))),
        ("directory unlinked", told(fs::remove_file(at("parent")))),
        (
            "file removed as directory",
            told(fs::remove_dir(at("file"))),
        ),
        ("made twice", told(fs::create_dir(at("parent")))),
        (
            "file made twice",
            told(fs::File::create_new(at("file")).map(drop)),
        ),
        ("directory read", told(fs::read(at("parent")))),
        ("directory written", told(fs::write(at("parent"), ""))),
        ("below a file", told(fs::write(at("file/x"), ""))),
        ("link of a file", told(fs::read_link(at("file")))),
        ("nothing", told(fs::metadata(at("nothing")).map(drop))),
        ("a NUL", told(fs::metadata("data/\0").map(drop))),
    ];
    for (what, end) in ends {
        writeln!(seen, "{what}: {end}")?;
    }
    for bytes in [
        1, 59, 60, 61, 254, 255, 256, 1023, 1024, 2000, 3800, 4000, 4095, 4096,
    ] {
        let name = "n".repeat(bytes);
        let (link, file) = (at(&format!("link-{bytes}")), at(&name));
        writeln!(
            seen,
            "link of {bytes} bytes: {}",
            told(symlink(&name, &link))
        )?;
        writeln!(
            seen,
            "name of {bytes} bytes: {}",
            told(fs::write(&file, ""))
        )?;
        writeln!(
            seen,
            "and looked at: {}",
            told(fs::symlink_metadata(&file).map(drop))
        )?;
        let deep = at(&format!("{}x", "d/".repeat(bytes / 2)));
        writeln!(
            seen,
            "path of {bytes}: {}",
            told(fs::metadata(deep).map(drop))
        )?;
    }
    let mut file = fs::File::create(at("grown"))?;
    for size in [1 << 20, 1 << 40, i64::MAX as u64] {
        writeln!(seen, "grown to {size}: {}", told(file.set_len(size)))?;
        let far = file
            .seek(SeekFrom::Start(size))
            .and_then(|_| file.write_all(b"x"));
        writeln!(seen, "written at {size}: {}", told(far))?;
    }
    let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1 << 40);
    writeln!(seen, "a far time: {}", told(file.set_modified(time)))?;
    // Names whose order a hash decides.
    for number in 0..200_u32 {
        fs::write(
            at(&format!("{:08x}", number.wrapping_mul(0x9e37_79b9))),
            [0; 3],
        )?;
    }
    Ok(())
}

/// The standard library has no stable call for it on this target.
fn symlink(target: &str, path: &str) -> io::Result<()> {
    let (target, path) = (CString::new(target)?, CString::new(path)?);
    // SAFETY: both are strings that end with a NUL and live over the call.
    match unsafe { libc::symlink(target.as_ptr(), path.as_ptr()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn told<T: std::fmt::Debug>(end: io::Result<T>) -> String {
    match end {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{:?} {:?}", error.kind(), error.raw_os_error()),
    }
}
