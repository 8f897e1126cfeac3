//! The simulation itself: it repeats, it covers, and it is quiet on the plugin as it is.

use super::*;

#[test]
fn the_same_seed_gives_the_same_time_line() {
    for seed in 1..=50 {
        let (once, again) =
            (simulate_one(seed, &Options::default()).unwrap(), simulate_one(seed, &Options::default()).unwrap());
        let differs = once.lines.iter().zip(&again.lines).find(|(a, b)| a != b);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!((once.hash, once.lines.len()), (again.hash, again.lines.len()), "seed {seed}");
    }
}

#[test]
fn no_invariant_is_broken_and_every_fault_was_played() {
    let report = simulate(1..=150, &Options::default());
    for broken in &report.broken {
        println!("seed {}", broken.seed);
        for violation in &broken.violations {
            println!("{violation}\n{}", violation.around.join("\n"));
        }
    }
    assert!(report.is_clean(), "{report}");
    for topic in Topic::KNOWN {
        println!("{}: never {:?}", topic.words(), report.coverage.never(topic));
    }
    assert_eq!(report.coverage.never(Topic::Fault), [""; 0], "{report}");
    assert!(report.coverage.of(Topic::Mount, "ok") > 150, "{report}");
}
