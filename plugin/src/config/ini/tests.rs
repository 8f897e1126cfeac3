//! The dialect, held against what `oslo.config` was seen to do.

use proptest::prelude::*;

use super::*;

/// Sections, each with its keys, values and lines.
type Shape = Vec<(String, Vec<(String, String, usize)>)>;

fn read(text: &str) -> (Shape, Result<Vec<String>, String>) {
    let mut findings = Findings::new("hpe.conf");
    let ini = parse(text, &mut findings);
    let entries = |section: Section| section.entries.into_iter().map(|e| (e.key, e.value, e.line)).collect();
    let shape = ini.sections.into_iter().map(|section| (section.name.clone(), entries(section))).collect();
    let outcome = if findings.has_errors() {
        Err(findings.into_errors().to_string())
    } else {
        Ok(findings.into_warnings().iter().map(ToString::to_string).collect())
    };
    (shape, outcome)
}

/// The value of the only key of the only section.
fn value(assignment: &str) -> String {
    let (shape, outcome) = read(&format!("[DEFAULT]\n{assignment}"));
    assert_eq!(outcome, Ok(vec![]), "{assignment:?}");
    shape[0].1[0].1.clone()
}

fn refusal(text: &str) -> String {
    read(text).1.unwrap_err()
}

#[test]
fn the_first_of_colon_and_equals_sign_separates() {
    assert_eq!(value("a = v"), "v");
    assert_eq!(value("a: v"), "v");
    assert_eq!(value("a:1=2"), "1=2");
    assert_eq!(value("a=c:d"), "c:d");
    assert_eq!(value("a ="), "");
}

#[test]
fn passwords_stay_intact() {
    for password in ["p#a;ss", r"ss\word", r"#;\\%", "a b", "100%", "\"", "it's", "a=b:c", "$$x", "[x]", r"C:\n\t"] {
        let expected = if password == "\"" { "" } else { password };
        assert_eq!(value(&format!("a = {password}")), expected);
    }
}

#[test]
fn one_pair_of_quotes_is_taken_off() {
    assert_eq!(value("a=\"q\""), "q");
    assert_eq!(value(r"a='#;\\%'"), r"#;\\%");
    assert_eq!(value("a=\" q \""), " q ");
    assert_eq!(value("a=\"q\" b\""), "q\" b");
    assert_eq!(value("a=\"q"), "\"q");
    assert_eq!(value("a=\"q'"), "\"q'");
    assert_eq!(value("a=\"\""), "");
}

#[test]
fn indented_lines_continue_a_value_even_when_they_look_like_comments() {
    assert_eq!(value("a=one\n two\n\t# three\n"), "one\ntwo\n# three");
    assert_eq!(value("a=\n  one"), "\none");
}

#[test]
fn comments_stand_at_the_start_of_a_line() {
    let (shape, outcome) = read("# c\n[s]\n;c=d\n#a=b\na=b # no comment\n");
    assert_eq!(outcome, Ok(vec![]));
    assert_eq!(shape, [("s".to_owned(), vec![("a".to_owned(), "b # no comment".to_owned(), 5)])]);
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_do_no_harm() {
    let (shape, outcome) = read("\u{feff}[s]\r\na=b\r\n\r\nc=d\r\n");
    assert_eq!(outcome, Ok(vec![]));
    let entry = |key: &str, value: &str, line| (key.to_owned(), value.to_owned(), line);
    assert_eq!(shape, [("s".to_owned(), vec![entry("a", "b", 2), entry("c", "d", 4)])]);
}

#[test]
fn repeated_keys_are_kept_and_repeated_sections_joined() {
    let (shape, outcome) = read("[s]\na=1\na=2\n[t]\n[s]\na=3\n");
    assert_eq!(outcome.unwrap(), ["hpe.conf:5: [s] the section began in line 1 already; both parts count as one."]);
    assert_eq!(shape.len(), 2);
    assert_eq!(shape[0].1.iter().map(|e| e.1.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
}

#[test]
fn lines_that_make_no_sense_are_named_without_their_text() {
    let refused = [
        ("a=1", "hpe.conf:1: a: the key stands before any section. Put [DEFAULT] above it."),
        ("[x\na=1", "hpe.conf:1: a section header must end with ']' and have nothing after it."),
        ("[]\na=1\n", "hpe.conf:1: the section header has no name. Write [DEFAULT] or the name of a backend."),
        ("[s]\n=x", "hpe.conf:2: [s] there is no key before the '=' or ':'."),
        (
            "[s]\nsecret",
            "hpe.conf:2: [s] the line is neither '[section]', 'key = value', nor a comment beginning with '#' or ';'.",
        ),
        (
            "[s]\nsan_password se=cret",
            "hpe.conf:2: [s] the text before the '=' or ':' is not a key. Keys have letters, digits and '_' only.",
        ),
        (
            "[s]\na=1\n\n secret",
            "hpe.conf:4: [s] the line is indented but there is no value above that it could continue. Begin it in the first \
             column; a blank line ends a value.",
        ),
    ];
    for (text, expected) in refused {
        let refusal = refusal(text);
        assert_eq!(refusal, expected);
        assert!(!refusal.contains("secret"));
    }
}

#[test]
fn entries_do_not_show_values_in_debug() {
    let mut findings = Findings::new("hpe.conf");
    let ini = parse("[s]\nsan_password = swordfish\n", &mut findings);
    let shown = format!("{ini:?}");
    assert!(shown.contains("san_password") && !shown.contains("swordfish"), "{shown}");
}

proptest! {
    #[test]
    fn no_text_panics_and_every_finding_is_one_line(text in "(?s)([\\[\\]=:#;a-c \\t\\r\\n\"']|.){0,80}") {
        if let Err(errors) = read(&text).1 {
            prop_assert!(errors.lines().all(|line| line.starts_with("hpe.conf:")));
        }
    }

    #[test]
    fn what_is_written_is_read_back(
        sections in proptest::collection::btree_map(
            "[A-Za-z][A-Za-z0-9_ -]{0,8}[A-Z]",
            proptest::collection::vec(("[a-z_][a-z0-9_]{0,10}", "[!-~]([ -~]{0,20}[!-~])?", "[ \t]{0,3}", any::<bool>()), 0..5),
            0..4,
        ),
    ) {
        let mut text = String::from("# made by a test\n");
        let mut expected: Shape = Vec::new();
        for (name, entries) in &sections {
            text.push_str(&format!("\n[{name}]\n"));
            let mut shape = Vec::new();
            for (key, value, blanks, colon) in entries {
                let line = text.matches('\n').count() + 1;
                text.push_str(&format!("{key}{blanks}{}{blanks}\"{value}\"{blanks}\n", if *colon { ':' } else { '=' }));
                shape.push((key.clone(), value.clone(), line));
            }
            expected.push((name.clone(), shape));
        }
        let (shape, outcome) = read(&text);
        prop_assert_eq!(outcome, Ok(vec![]));
        prop_assert_eq!(shape, expected);
    }
}
