//! Plays the transcripts in `tests/transcripts/` over real SSH connections, as single commands and in a shell.
//!
//! A transcript is a text file. Lines at its head that start with `#` say what it shows; one of them is
//! `# provenance: …` and tells where the layout and the texts come from: a capture of a real array, a page of a guide, or
//! `derived`. Then each command stands on a line `$ command`, followed by what it prints:
//!
//! * `< text` right after the command is typed to its question (such commands are not played in the shell),
//! * `= 1` after that is the exit status expected, 0 when absent,
//! * a line `~ pattern` stands for a line with a time or another thing that changes: `*` fits anything.
//!
//! Every file starts with a new array. With `UPDATE_TRANSCRIPTS=1` the files are written anew; read the difference.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{fmt::Write as _, path::PathBuf};

use support::{exec, shell, ssh, start_plain};

/// A command with what it is to print.
struct Step {
    command: String,
    answers: String,
    status: u32,
    output: Vec<String>,
}

struct Transcript {
    path: PathBuf,
    head: Vec<String>,
    steps: Vec<Step>,
}

impl Transcript {
    fn read(path: PathBuf) -> Self {
        let text = std::fs::read_to_string(&path).unwrap();
        let (mut head, mut steps) = (Vec::new(), Vec::<Step>::new());
        for line in text.lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                let command = command.to_owned();
                steps.push(Step { command, answers: String::new(), status: 0, output: Vec::new() });
                continue;
            }
            let Some(step) = steps.last_mut() else {
                head.push(line.to_owned());
                continue;
            };
            match (line.strip_prefix("< "), line.strip_prefix("= ")) {
                (Some(answer), _) if step.output.is_empty() => step.answers.push_str(&format!("{answer}\n")),
                (_, Some(status)) if step.output.is_empty() => step.status = status.parse().unwrap(),
                _ => step.output.push(line.to_owned()),
            }
        }
        Self { path, head, steps }
    }

    fn name(&self) -> String {
        self.path.file_stem().unwrap().to_string_lossy().into_owned()
    }

    /// Writes the file anew with what was printed.
    fn write(&self, printed: &[(String, u32)]) {
        let mut text = self.head.iter().fold(String::new(), |text, line| text + line + "\n");
        for (step, (output, status)) in self.steps.iter().zip(printed) {
            writeln!(text, "$ {}", step.command).unwrap();
            step.answers.lines().for_each(|answer| writeln!(text, "< {answer}").unwrap());
            if *status != 0 {
                writeln!(text, "= {status}").unwrap();
            }
            let lines: Vec<_> = output.lines().collect();
            for (index, line) in lines.iter().enumerate() {
                let kept = step.output.get(index).filter(|held| fits(held, line));
                writeln!(text, "{}", kept.map_or(*line, String::as_str)).unwrap();
            }
        }
        std::fs::write(&self.path, text).unwrap();
    }
}

fn transcripts() -> Vec<Transcript> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "txt"));
    paths.sort();
    paths.into_iter().map(Transcript::read).collect()
}

/// Whether a line is as expected.
fn fits(expected: &str, line: &str) -> bool {
    let Some(pattern) = expected.strip_prefix("~ ") else { return expected == line };
    let mut parts = pattern.split('*');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

fn check(name: &str, step: &Step, mode: &str, printed: &str) {
    let lines: Vec<_> = printed.lines().collect();
    let as_expected =
        lines.len() == step.output.len() && step.output.iter().zip(&lines).all(|(held, line)| fits(held, line));
    assert!(
        as_expected,
        "{name}, `{}` {mode}\nexpected:\n{}\nprinted:\n{printed}",
        step.command,
        step.output.join("\n")
    );
}

/// Plays a transcript as single commands; gives what was printed and the exit status of each.
async fn play_single(transcript: &Transcript) -> Vec<(String, u32)> {
    let running = start_plain().await;
    let connection = ssh(&running).await;
    let mut printed = Vec::new();
    for step in &transcript.steps {
        let one = exec(&connection, &step.command, &step.answers).await;
        printed.push((one.text, one.status.unwrap()));
    }
    running.shutdown().await;
    printed
}

/// Plays a transcript in one shell; gives what was printed after each command.
async fn play_shell(transcript: &Transcript) -> Vec<String> {
    const PROMPT: &str = "emulated3par cli% ";
    let running = start_plain().await;
    let connection = ssh(&running).await;
    let typed: String = transcript.steps.iter().map(|step| step.command.clone() + "\n").collect();
    let screen = shell(&connection, &format!("{typed}exit\n")).await;
    assert_eq!(screen.status, Some(0));
    running.shutdown().await;
    // The lines typed ahead are echoed first, then the shell prints each behind its prompt.
    let echoed = typed.replace('\n', "\r\n") + "exit\r\n";
    let mut rest = screen.text.strip_prefix(&echoed).unwrap_or_else(|| panic!("{}", screen.text));
    let mut printed = Vec::new();
    for step in &transcript.steps {
        let start = format!("{PROMPT}{}\r\n", step.command);
        rest = rest
            .strip_prefix(&start)
            .unwrap_or_else(|| panic!("{}: expected {start:?} at {rest:?}", transcript.name()));
        let end = rest.find(PROMPT).unwrap();
        printed.push(rest[..end].to_owned());
        rest = &rest[end..];
    }
    assert_eq!(rest, format!("{PROMPT}exit\r\n"));
    printed
}

#[tokio::test(flavor = "multi_thread")]
async fn transcripts_print_what_they_say() {
    let all = transcripts();
    assert!(all.len() >= 8, "the transcripts must be found");
    for transcript in &all {
        let name = transcript.name();
        assert!(transcript.head.iter().any(|line| line.starts_with("# provenance: ")), "{name} tells no provenance");
        let single = play_single(transcript).await;
        if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
            transcript.write(&single);
            continue;
        }
        for (step, (output, status)) in transcript.steps.iter().zip(&single) {
            check(&name, step, "as a single command", output);
            assert_eq!(*status, step.status, "{name}, `{}`", step.command);
        }
        if transcript.steps.iter().any(|step| !step.answers.is_empty()) {
            continue;
        }
        for (step, output) in transcript.steps.iter().zip(play_shell(transcript).await) {
            assert!(!output.replace("\r\n", "").contains(['\r', '\n']), "{name}: every line ends in CR LF: {output:?}");
            check(&name, step, "in a shell", &output.replace("\r\n", "\n"));
        }
    }
}

#[test]
fn patterns_stand_for_what_changes() {
    assert!(fits("~ 0 *-* x", "0 2026-01-01 x") && fits("~ *", "") && fits("a*", "a*"));
    assert!(!fits("~ 0 *x", "0 y") && !fits("a*", "ab") && !fits("~ a", "ab"));
}
