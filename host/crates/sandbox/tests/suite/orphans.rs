// SPDX-License-Identifier: Apache-2.0
//! A child never outlives the process that it works for.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Command;

/// The kernel ends a child with its parent only from the moment on that the child asks for it.
#[test]
fn a_child_whose_parent_was_gone_before_it_asked_ends_though_its_line_stands() {
    for role in ["compiler", "runner"] {
        let (_host, line) = UnixStream::pair().unwrap();
        let gone = Command::new("true").spawn().unwrap();
        let parent = gone.id().to_string();
        gone.wait_with_output().unwrap();
        let status = Command::new(env!("CARGO_BIN_EXE_cofferdam-sandbox-child"))
            .args(["--cofferdam-child", role, &parent])
            .stdin(OwnedFd::from(line))
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(1), "{role}");
    }
}
