//! Options as Docker and Kubernetes tooling send them, and the exact refusals.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn parse(opts: &Value) -> Result<CreateRequest, OptionError> {
    CreateOptions::parse(Some(opts))
}

fn volume(opts: &Value) -> CreateOptions {
    match parse(opts).unwrap() {
        CreateRequest::Volume(options) => options,
        CreateRequest::Help(topic) => panic!("help {topic:?}"),
    }
}

fn refusal(opts: &Value) -> String {
    parse(opts).unwrap_err().to_string()
}

#[test]
fn without_options_the_defaults_apply() {
    let defaults = CreateRequest::Volume(CreateOptions::default());
    assert_eq!(CreateOptions::parse(None).unwrap(), defaults);
    assert_eq!(parse(&Value::Null).unwrap(), defaults);
    assert_eq!(parse(&json!({})).unwrap(), defaults);
    let empty = json!({"size": "", "provisioning": "", "cpg": "", "snapcpg": null, "fsOwner": "", "fsMode": "",
        "mountConflictDelay": "", "backend": "", "manager": ""});
    assert_eq!(parse(&empty).unwrap(), defaults);
    assert_eq!(CreateOptions::default().size.gib(), 100);
    assert_eq!(CreateOptions::default().provisioning, Provisioning::Thin);
}

#[test]
fn every_option_of_a_plain_volume_is_read() {
    let options = volume(&json!({"size": "20", "provisioning": "dedup", "compression": "True", "cpg": "SSD_r6",
        "snapcpg": "FC_r6", "fsOwner": "1001:1002", "fsMode": "0755", "mountConflictDelay": "40", "backend": "array2",
        "manager": "k8s"}));
    assert_eq!(options.size.mib(), 20 * 1024);
    assert_eq!(options.provisioning, Provisioning::Dedup);
    assert_eq!(options.compression, Some(true));
    assert_eq!(options.cpg.unwrap().as_str(), "SSD_r6");
    assert_eq!(options.snap_cpg.unwrap().as_str(), "FC_r6");
    assert_eq!(options.access, RootAccess { owner: Some((1001, 1002)), mode: Some(0o755) });
    assert_eq!(options.mount_conflict_delay, Some(Duration::from_secs(40)));
    assert_eq!(options.backend.unwrap().as_str(), "array2");
}

#[test]
fn numbers_and_booleans_of_kubernetes_tooling_are_read_like_text() {
    let options =
        volume(&json!({"mountConflictDelay": 30, "size": 16, "compression": true, "manager": {"any": "thing"}}));
    assert_eq!(options.size.gib(), 16);
    assert_eq!(options.compression, Some(true));
    assert_eq!(options.mount_conflict_delay, Some(Duration::from_secs(30)));
    assert_eq!(volume(&json!({"size": 16.0})).size.gib(), 16);
    assert_eq!(volume(&json!({"mountConflictDelay": 0})).mount_conflict_delay, Some(Duration::ZERO));
}

#[test]
fn help_is_asked_for_with_help() {
    assert_eq!(parse(&json!({"help": ""})).unwrap(), CreateRequest::Help(HelpTopic::Usage));
    assert_eq!(parse(&json!({"help": "anything"})).unwrap(), CreateRequest::Help(HelpTopic::Usage));
    assert_eq!(parse(&json!({"help": "backends"})).unwrap(), CreateRequest::Help(HelpTopic::Backends));
    assert_eq!(
        refusal(&json!({"help": "", "size": 1})),
        "Invalid input received: Invalid option(s) ['size'] specified for operation display help. Please check help for usage."
    );
}

#[test]
fn sizes_out_of_bounds_are_refused() {
    for bad in
        [json!("0"), json!("-1"), json!("ten"), json!(1.5), json!(65_537), json!("99999999999999999999"), json!(true)]
    {
        let text = refusal(&json!({"size": bad.clone()}));
        assert!(text.starts_with("Please enter the valid integer value for size parameter"), "{bad}: {text}");
    }
    assert_eq!(
        refusal(&json!({"size": "0"})),
        "Please enter the valid integer value for size parameter: '0' is not a whole number of GiB from 1 to 65536."
    );
    assert_eq!(volume(&json!({"size": " 65536 "})).size.gib(), 65_536);
}

#[test]
fn bad_values_are_refused_in_the_words_of_the_earlier_plugin() {
    let cases = [
        (
            json!({"provisioning": "Thin"}),
            "Invalid input received: Must specify a valid provisioning type ['thin', 'full', 'dedup'], value 'Thin' is invalid.",
        ),
        (
            json!({"compression": ""}),
            "create volume failed, error is: passed compression parameter does not have a valid value. Valid values are: \
             ['true', 'false']",
        ),
        (
            json!({"fsOwner": "root:root"}),
            "Invalid value 'root:root' specified for fsOwner. Please specify a correct value. Expected uid:gid, both numbers.",
        ),
        (json!({"fsMode": "rwx"}), "Invalid value 'rwx' specified for fsMode. Please specify an integer value."),
        (
            json!({"fsMode": 755}),
            "Invalid value '755' specified for fsMode. Please specify an octal value. Expected 0 to 07777, beginning with 0.",
        ),
        (
            json!({"fsMode": "0789"}),
            "Invalid value '0789' specified for fsMode. Please specify an octal value. Expected 0 to 07777, beginning with 0.",
        ),
        (
            json!({"mountConflictDelay": "soon"}),
            "Invalid value 'soon' specified for mountConflictDelay. Pleasespecify an integer value.",
        ),
        (
            json!({"mountConflictDelay": -1}),
            "Invalid value '-1' specified for mountConflictDelay. Please specify 0 to 86400 seconds.",
        ),
        (
            json!({"cpg": "no such/cpg"}),
            "Invalid value 'no such/cpg' specified for cpg. Please specify a CPG name: 1 to 31 characters of A-Z a-z 0-9 . _ -, \
             not beginning with -.",
        ),
        (
            json!({"backend": "DEFAULT_FILE"}),
            "Backend DEFAULT_FILE is reserved for File Persona. Cannot specify it for Block operations",
        ),
        (json!({"backend": "a/b"}), "Backend: a/b not present in config."),
        (
            json!({"size": [1]}),
            "Invalid input received: the value of option 'size' must be text, a number, true or false.",
        ),
        (json!(["size"]), "Invalid input received: Opts must be an object of option names and values."),
    ];
    for (opts, text) in cases {
        assert_eq!(refusal(&opts), text, "{opts}");
    }
}

#[test]
fn owners_that_chown_would_not_set_are_refused() {
    for bad in ["1", "1:", ":1", "1:2:3", "-1:0", "4294967295:0", "0:4294967296"] {
        assert!(refusal(&json!({"fsOwner": bad})).contains("specified for fsOwner"), "{bad}");
    }
    assert_eq!(volume(&json!({"fsOwner": "0:0"})).access.owner, Some((0, 0)));
}

#[test]
fn what_the_array_cannot_compress_is_refused() {
    let text = "Invalid input received: To create compression enabled volume, size of the volume should be at least 16GB. Fully \
                provisioned volume cannot be compressed. Please re-enter requested volume size or provisioning type.";
    assert_eq!(refusal(&json!({"compression": "true", "size": "15"})), text);
    assert_eq!(refusal(&json!({"compression": "true", "provisioning": "full"})), text);
    assert_eq!(volume(&json!({"compression": "true", "size": "16"})).compression, Some(true));
    assert_eq!(volume(&json!({"compression": "FALSE", "size": "2", "provisioning": "full"})).compression, Some(false));
}

#[test]
fn features_that_are_not_there_yet_are_refused_by_name() {
    assert_eq!(
        refusal(&json!({"cloneOf": "db", "size": "1"})),
        "Invalid input received: Option 'cloneOf' (clones) is not supported yet. Please check help for usage."
    );
    assert_eq!(
        refusal(&json!({"virtualCopyOf": "db", "scheduleName": "daily", "unknown": ""})),
        "Invalid input received: Options 'virtualCopyOf' (snapshots), 'scheduleName' (snapshot schedules) are not supported \
         yet. Please check help for usage."
    );
    for (option, _) in UNSUPPORTED {
        assert!(refusal(&json!({option: "x"})).contains(&format!("'{option}'")));
    }
}

#[test]
fn unknown_options_are_named_sorted_with_what_may_be_meant() {
    assert_eq!(
        refusal(&json!({"siez": "1", "colour": "red"})),
        "Invalid input received: Invalid option(s) ['colour', 'siez'] specified for operation create volume. Please check help \
         for usage. Did you mean 'size' instead of 'siez'?"
    );
    let hostile = refusal(&json!({"x\n".repeat(1000): "1"}));
    assert!(hostile.len() < 500 && !hostile.contains('\n'), "{hostile}");
}

/// Any JSON, with the names of real options among the keys.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[-+0-9: ]{0,8}".prop_map(Value::from),
    ];
    let key = prop_oneof![4 => proptest::sample::select(PLAIN.to_vec()).prop_map(str::to_owned), 1 => any::<String>()];
    leaf.prop_recursive(3, 24, 8, move |inner| {
        prop_oneof![
            1 => proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            4 => proptest::collection::vec((key.clone(), inner), 0..6).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_panics_and_every_answer_is_in_bounds(opts in any_json()) {
        match parse(&opts) {
            Ok(CreateRequest::Volume(options)) => {
                prop_assert!((1..=u64::from(SizeGib::MAX)).contains(&options.size.gib()));
                prop_assert!(options.mount_conflict_delay.unwrap_or_default() <= CreateOptions::LONGEST_DELAY);
                prop_assert!(options.access.mode.unwrap_or_default() <= 0o7777);
            }
            Ok(CreateRequest::Help(_)) => {}
            Err(error) => prop_assert!(!error.to_string().contains('\n')),
        }
    }
}
