use proptest::prelude::*;
use serde_json::json;

use super::*;

fn equals(member: &str, value: &str) -> Filter {
    Filter::Equals(member.to_owned(), value.to_owned())
}

fn from_uri(query: &str) -> Result<Option<Filter>, ArrayError> {
    Filter::from_uri(Some(query), &["volumeName", "FCPaths", "iSCSIPaths", "portPos"])
}

#[test]
fn every_spelling_clients_send_means_the_same() {
    let wanted = equals("volumeName", "vol-1");
    for query in [
        "query=%22volumeName%20EQ%20vol-1%22",
        "query=\"volumeName EQ vol-1\"",
        "query=\"volumeName+EQ+vol-1\"",
        "query=volumeName EQ vol-1",
        "query=\" volumeName EQ vol-1 \"",
        "query=\"volumeName==vol-1\"",
        "query=\"volumeName == vol-1\"",
        "a=b&query=\"volumeName eq vol-1\"",
    ] {
        assert_eq!(from_uri(query).unwrap(), Some(wanted.clone()), "{query}");
    }
}

#[test]
fn paths_are_found_inside_their_list() {
    let query = "query=\"FCPaths[wwn EQ 10000000000000AA OR wwn==10000000000000BB] OR iSCSIPaths[ name EQ iqn.x:y ]\"";
    let filter = from_uri(query).unwrap().unwrap();
    let host = |wwn: &str, iqn: &str| json!({"FCPaths": [{"wwn": wwn}], "iSCSIPaths": [{"name": iqn}]});
    assert!(filter.fits(&host("10000000000000aa", "-")));
    assert!(filter.fits(&host("-", "iqn.x:y")));
    assert!(!filter.fits(&host("-", "-")));
    assert!(!filter.fits(&json!({"name": "iqn.x:y"})));
}

#[test]
fn numbers_lists_and_port_positions_can_be_compared() {
    let object = json!({"type": 3, "setmembers": ["a", "b"], "portPos": {"node": 0, "slot": 2, "cardPort": 1}});
    for (text, fits) in [
        ("type EQ 3", true),
        ("type EQ 4", false),
        ("setmembers EQ b", true),
        ("portPos EQ 0:2:1", true),
        ("portPos EQ 0:2:2", false),
        ("type EQ 3 AND setmembers EQ c", false),
        ("type EQ 4 OR type EQ 3 AND setmembers EQ a", true),
    ] {
        assert_eq!(Filter::parse(text).unwrap().fits(&object), fits, "{text}");
    }
}

#[test]
fn like_takes_shell_patterns() {
    let object = json!({"name": "rcg-12"});
    for (pattern, fits) in [("rcg*", true), ("*12", true), ("r?g-*", true), ("*", true), ("12*", false), ("", false)] {
        assert_eq!(Filter::parse(&format!("name LIKE '{pattern}'")).unwrap().fits(&object), fits, "{pattern}");
    }
}

#[test]
fn faulty_filters_are_refused() {
    for query in ["query=", "query=\"\"", "query=\"volumeName\"", "query=\"volumeName EQ\"", "query=\"EQ EQ EQ EQ\""] {
        assert_eq!(from_uri(query).unwrap_err().status, 400, "{query}");
    }
    for query in ["query=FCPaths[wwn EQ x", "query=volumeName EQ a b", "query=nonsense EQ 1", "query=%ff EQ 1"] {
        assert_eq!(from_uri(query).unwrap_err().status, 400, "{query}");
    }
    assert!(from_uri("noVcn=true").unwrap().is_none());
}

#[test]
fn bottomless_nesting_is_refused() {
    assert_eq!(Filter::parse(&"a[".repeat(100_000)), None);
}

proptest! {
    #[test]
    fn any_text_is_parsed_without_panic(text in any::<String>()) {
        let _ = Filter::parse(&text);
        let _ = from_uri(&format!("query={text}"));
    }

    #[test]
    fn names_survive(name in "[A-Za-z0-9._:-]{1,60}") {
        prop_assert_eq!(Filter::parse(&format!("\"volumeName EQ {name}\"")), Some(equals("volumeName", &name)));
    }
}
