// SPDX-License-Identifier: Apache-2.0
//! Paths, twins, links and modes: what the manifest would put where.

use serde_json::Value;
use serde_json::json;

use crate::Lie;
use crate::manifest::set;
use crate::sound::PROGRAM;
use crate::sound::file;

pub(crate) fn lies() -> Vec<Lie> {
    [paths(), twins(), links(), modes()]
        .into_iter()
        .flatten()
        .collect()
}

/// The program is at this path, and alone.
fn path(name: &str, code: &'static str, path: &str) -> Lie {
    let path = path.to_owned();
    Lie::manifest(format!("a_path_{name}"), code, move |manifest| {
        manifest["entries"][0]["path"] = json!(path);
    })
}

fn paths() -> Vec<Lie> {
    const DOT: &str = "path-dot-part";
    const CONTROL: &str = "path-control";
    const CHARACTER: &str = "path-reserved-character";
    const NAME: &str = "path-reserved-name";
    const TRAILING: &str = "path-trailing-dot";
    let long_part = format!("bin/{}", "a".repeat(256));
    let long = vec!["a".repeat(200); 6].join("/");
    let deep = vec!["a"; 65].join("/");
    vec![
        path("of_nothing", "path-empty", ""),
        path("of_the_system", "path-absolute", "/etc/passwd"),
        path("with_two_slashes_in_front", "path-absolute", "//etc/passwd"),
        path("above_the_install", DOT, "../agent"),
        path("far_above_the_install", DOT, "../../../../etc/cron.d/agent"),
        path("that_goes_up_and_down", DOT, "bin/../agent"),
        path("that_ends_above", DOT, "bin/.."),
        path("of_a_dot", DOT, "."),
        path("behind_a_dot", DOT, "./agent"),
        path("with_a_dot_inside", DOT, "bin/./agent"),
        path("with_a_doubled_slash", "path-empty-part", "bin//agent"),
        path("with_a_slash_at_the_end", "path-empty-part", "bin/agent/"),
        path("with_a_backslash", "path-backslash", "bin\\agent"),
        path("up_by_a_backslash", "path-backslash", "..\\agent"),
        path("with_a_nul", CONTROL, "bin/agent\0"),
        path("with_a_line_feed", CONTROL, "bin/a\ngent"),
        path("that_moves_the_cursor", CONTROL, "bin/\u{1b}[2Jagent"),
        path("with_a_delete", CONTROL, "bin/a\u{7f}gent"),
        path(
            "with_a_control_of_the_upper_half",
            CONTROL,
            "bin/a\u{9b}gent",
        ),
        path("read_from_right_to_left", CONTROL, "bin/\u{202e}tnega"),
        path("with_an_arabic_letter_mark", CONTROL, "bin/\u{61c}agent"),
        path("with_a_tag_that_nobody_sees", CONTROL, "bin/agent\u{e0041}"),
        path("with_an_isolated_direction", CONTROL, "bin/\u{2066}agent"),
        path("with_a_line_separator", CONTROL, "bin/\u{2028}agent"),
        path("with_a_byte_order_mark", CONTROL, "bin/\u{feff}agent"),
        path("on_a_drive", CHARACTER, "C:/agent"),
        path("with_a_stream", CHARACTER, "bin/agent:hidden"),
        path("with_a_wildcard", CHARACTER, "bin/*"),
        path("with_a_pipe", CHARACTER, "bin/a|b"),
        path("that_is_a_device", NAME, "bin/nul"),
        path("that_is_a_device_with_an_ending", NAME, "bin/con.txt"),
        path("that_is_a_device_with_spaces", NAME, "bin/aux .txt"),
        path("that_is_a_port", NAME, "bin/COM1"),
        path("that_is_a_port_in_superscript", NAME, "bin/lpt\u{b9}"),
        path("in_a_device", NAME, "prn/agent"),
        path("that_ends_in_a_dot", TRAILING, "bin/agent."),
        path("that_ends_in_a_space", TRAILING, "bin/agent "),
        path("in_a_folder_that_ends_in_dots", TRAILING, "bin.../agent"),
        path("with_a_part_of_256_bytes", "path-too-long", &long_part),
        path("of_1205_bytes", "path-too-long", &long),
        path("of_65_parts", "path-too-deep", &deep),
    ]
}

/// The sound files, and files at these paths as well.
fn also(name: &str, code: &'static str, paths: &[&str]) -> Lie {
    let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
    Lie::manifest(name, code, move |manifest| {
        let entries = manifest["entries"].as_array_mut().unwrap();
        entries.extend(paths.iter().map(|path| file(path, PROGRAM)));
        entries.sort_by(|a, b| a["path"].as_str().cmp(&b["path"].as_str()));
    })
}

fn twins() -> Vec<Lie> {
    const CASE: &str = "path-case-clash";
    const BOTH: &str = "path-file-and-directory";
    vec![
        also("twins_in_letter_case", CASE, &["bin/AGENT"]),
        also("twins_in_the_case_of_a_folder", CASE, &["BIN/other"]),
        also(
            "twins_in_the_case_of_a_deep_folder",
            CASE,
            &["x/Y/z/a", "x/y/z/b"],
        ),
        also("twins_in_unicode_form", CASE, &["caf\u{e9}", "cafe\u{301}"]),
        also(
            "twins_in_unicode_form_of_a_folder",
            CASE,
            &["caf\u{e9}/a", "cafe\u{301}/b"],
        ),
        also(
            "twins_in_unicode_form_and_case",
            CASE,
            &["CAF\u{c9}", "cafe\u{301}"],
        ),
        also("twins_by_full_folding", CASE, &["stra\u{df}e", "STRASSE"]),
        also("twins_by_a_ligature", CASE, &["\u{fb01}le", "FILE"]),
        also("twins_by_the_sign_for_kelvin", CASE, &["\u{212a}", "k"]),
        also("twins_by_the_long_s", CASE, &["\u{17f}", "S"]),
        also("twins_by_a_final_sigma", CASE, &["\u{3c2}", "\u{3a3}"]),
        also("twins_by_the_angstrom_sign", CASE, &["\u{212b}", "\u{e5}"]),
        also(
            "twins_by_the_order_of_marks",
            CASE,
            &["q\u{307}\u{323}", "q\u{323}\u{307}"],
        ),
        also("twins_of_a_directory_and_a_file", CASE, &["DATA"]),
        also("a_path_twice", "path-duplicate", &["bin/agent"]),
        also("a_file_below_a_file", BOTH, &["bin/agent/more"]),
        also("a_file_deep_below_a_file", BOTH, &["conf/agent.toml/a/b/c"]),
        also("a_file_below_a_link", BOTH, &["bin/current/more"]),
        also("a_file_in_the_place_of_a_folder", BOTH, &["bin"]),
        Lie::manifest("a_link_in_the_place_of_a_folder", BOTH, |manifest| {
            let entries = manifest["entries"].as_array_mut().unwrap();
            entries.insert(
                0,
                json!({ "path": "bin", "type": "symlink", "target": "data" }),
            );
        }),
        Lie::manifest(
            "a_path_as_a_file_and_a_directory",
            "path-duplicate",
            |manifest| {
                let entries = manifest["entries"].as_array_mut().unwrap();
                entries.insert(
                    1,
                    json!({ "path": "bin/agent", "type": "directory", "mode": "0755" }),
                );
            },
        ),
        Lie::manifest("paths_in_another_order", "path-unsorted", |manifest| {
            manifest["entries"].as_array_mut().unwrap().swap(0, 2);
        }),
        Lie::manifest(
            "paths_in_the_order_of_a_person",
            "path-unsorted",
            |manifest| {
                let entries = manifest["entries"].as_array_mut().unwrap();
                entries.extend([file("Z", PROGRAM)]);
            },
        ),
    ]
}

fn links() -> Vec<Lie> {
    const OUT: &str = "symlink-leads-out";
    let to = |name: &str, code, target: &str| {
        set(
            &format!("a_link_{name}"),
            code,
            "/entries/1/target",
            Value::from(target),
        )
    };
    vec![
        to("to_nothing", "path-empty", ""),
        to("to_the_system", "path-absolute", "/etc/passwd"),
        to("to_the_root", "path-absolute", "/"),
        to("above_the_install", OUT, "../../agent"),
        to("far_above_the_install", OUT, "../../../../etc/passwd"),
        to("down_and_up", OUT, "x/../agent"),
        to("down_and_out", OUT, "x/../../../agent"),
        to("with_a_doubled_slash", "path-empty-part", "a//b"),
        to("with_a_slash_at_the_end", "path-empty-part", "agent/"),
        to("with_a_backslash", "path-backslash", "..\\agent"),
        to("with_a_nul", "path-control", "agent\0"),
        to("that_moves_the_cursor", "path-control", "\u{1b}[2J"),
        to("with_a_stream", "path-reserved-character", "agent:x"),
        to("to_a_device", "path-reserved-name", "nul"),
        to("that_ends_in_a_dot", "path-trailing-dot", "agent."),
        to("to_a_part_of_256_bytes", "path-too-long", &"a".repeat(256)),
        to("of_1025_bytes", "path-too-long", &vec!["a"; 513].join("/")),
        to("of_200_parts", "path-too-deep", &vec!["a"; 200].join("/")),
        to("that_climbs_for_ever", OUT, &"../".repeat(300)),
    ]
}

fn modes() -> Vec<Lie> {
    let mode = |name: &str, pointer, mode: &str| {
        set(
            &format!("a_mode_{name}"),
            "manifest-mode",
            pointer,
            Value::from(mode),
        )
    };
    let program = "/entries/0/mode";
    vec![
        mode("with_setuid", program, "4755"),
        mode("with_setgid", program, "2755"),
        mode("with_a_sticky_bit", program, "1755"),
        mode("with_everything", program, "7777"),
        mode("of_a_directory_with_setgid", "/entries/3/mode", "2770"),
        mode("of_five_digits_with_setuid", program, "04755"),
        mode("of_a_whole_inode", program, "100755"),
        mode("of_three_digits", program, "755"),
        mode("of_no_digits", program, ""),
        mode("with_a_digit_of_8", program, "0798"),
        mode("with_a_prefix", program, "0o755"),
        mode("with_a_sign", program, "+755"),
        mode("of_letters", program, "rwxr"),
    ]
}
