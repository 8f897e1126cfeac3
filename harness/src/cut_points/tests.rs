//! The sweep itself: it strikes what it recorded, everything heals, and a known defect makes it red.

use super::*;

#[test]
fn the_calls_of_an_operation_go_through_every_port() {
    let calls = replay(&Cell { operation: Operation::TakeoverByForce, strikes: Vec::new() }, &Options::default(), false);
    let calls = calls.unwrap().calls;
    for port in [Port::Store, Port::Watch, Port::Wsapi, Port::Ssh, Port::Node, Port::Journal] {
        assert!(calls.iter().any(|call| call.port == port), "no call through {port}");
    }
    assert!(calls.iter().any(|call| call.origin == Origin::Background), "the loser cleans up by itself");
}
