//! The operational keys of a session (RFC 7143 s. 13): what this target wants, and what comes out of the negotiation.

use super::wire::text;

/// Longest data segment that the target takes.
pub(super) const MAX_DATA_SEGMENT: usize = 256 << 10;
/// Longest data segment of the other side when it declares none.
const DEFAULT_DATA_SEGMENT: usize = 8192;
/// Longest solicited sequence that the target wants.
const MAX_BURST: u64 = 4 << 20;
/// Most unsolicited data that the target wants.
const FIRST_BURST: u64 = 256 << 10;

/// What was agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) header_digest: bool,
    pub(super) data_digest: bool,
    /// Longest data segment that the initiator takes.
    pub(super) initiator_data_segment: usize,
    pub(super) max_burst: usize,
    pub(super) first_burst: usize,
    pub(super) initial_r2t: bool,
    pub(super) immediate_data: bool,
}

impl Default for Parameters {
    /// What holds for keys that nobody mentions.
    fn default() -> Self {
        Self {
            header_digest: false,
            data_digest: false,
            initiator_data_segment: DEFAULT_DATA_SEGMENT,
            max_burst: 256 << 10,
            first_burst: 64 << 10,
            initial_r2t: true,
            immediate_data: true,
        }
    }
}

/// A number inside its bounds.
fn bounded(value: &str, low: u64, high: u64) -> Option<u64> {
    text::number(value).filter(|n| (low..=high).contains(n))
}

fn yes_or_no(value: &str) -> Option<bool> {
    match value {
        "Yes" => Some(true),
        "No" => Some(false),
        _ => None,
    }
}

fn word(value: bool) -> String {
    if value { "Yes" } else { "No" }.to_owned()
}

/// Largest value of a length of 24 bits.
const LENGTH_MAX: u64 = (1 << 24) - 1;

impl Parameters {
    /// Takes an offer of the initiator; gives the answer, nothing for a key that is only declared.
    pub(super) fn negotiate(&mut self, key: &str, value: &str) -> Option<String> {
        let reject = || "Reject".to_owned();
        let answer = match key {
            "HeaderDigest" => digest(value, &mut self.header_digest),
            "DataDigest" => digest(value, &mut self.data_digest),
            "MaxRecvDataSegmentLength" => match bounded(value, 512, LENGTH_MAX) {
                Some(length) => {
                    self.initiator_data_segment = length as usize;
                    return None;
                }
                None => None,
            },
            "MaxBurstLength" => bounded(value, 512, LENGTH_MAX).map(|offer| {
                self.max_burst = offer.min(MAX_BURST) as usize;
                self.max_burst.to_string()
            }),
            "FirstBurstLength" => bounded(value, 512, LENGTH_MAX).map(|offer| {
                self.first_burst = offer.min(FIRST_BURST) as usize;
                self.first_burst.to_string()
            }),
            "InitialR2T" => yes_or_no(value).map(|offer| {
                self.initial_r2t = offer;
                word(offer)
            }),
            "ImmediateData" => yes_or_no(value).map(|offer| {
                self.immediate_data = offer;
                word(offer)
            }),
            // One connection, one R2T at a time, no recovery within a session, everything in order.
            "MaxConnections" | "MaxOutstandingR2T" => bounded(value, 1, 65_535).map(|_| "1".to_owned()),
            "ErrorRecoveryLevel" => bounded(value, 0, 2).map(|_| "0".to_owned()),
            "DefaultTime2Wait" => bounded(value, 0, 3600).map(|offer| offer.max(2).to_string()),
            "DefaultTime2Retain" => bounded(value, 0, 3600).map(|_| "0".to_owned()),
            "DataPDUInOrder" | "DataSequenceInOrder" => yes_or_no(value).map(|_| "Yes".to_owned()),
            // Markers are obsolete (s. 13.25).
            "IFMarker" | "OFMarker" => yes_or_no(value).map(|_| "No".to_owned()),
            "IFMarkInt" | "OFMarkInt" => Some("Irrelevant".to_owned()),
            "TaskReporting" => value.split(',').any(|offer| offer == "RFC3720").then(|| "RFC3720".to_owned()),
            "iSCSIProtocolLevel" => bounded(value, 0, 31).map(|offer| offer.min(1).to_string()),
            _ => Some("NotUnderstood".to_owned()),
        };
        Some(answer.unwrap_or_else(reject))
    }

    /// Puts lengths that depend on each other in order (s. 13.14).
    pub(super) fn settle(&mut self) {
        self.first_burst = self.first_burst.min(self.max_burst);
    }
}

/// The first digest of the list that the target knows.
fn digest(offers: &str, wanted: &mut bool) -> Option<String> {
    let chosen = offers.split(',').find(|offer| matches!(*offer, "CRC32C" | "None"))?;
    *wanted = chosen == "CRC32C";
    Some(chosen.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(key: &str, value: &str) -> Option<String> {
        Parameters::default().negotiate(key, value)
    }

    #[test]
    fn answers_to_offers() {
        for (key, offer, expected) in [
            ("HeaderDigest", "CRC32C,None", Some("CRC32C")),
            ("DataDigest", "Foo,None,CRC32C", Some("None")),
            ("DataDigest", "Foo", Some("Reject")),
            ("MaxRecvDataSegmentLength", "262144", None),
            ("MaxRecvDataSegmentLength", "100", Some("Reject")),
            ("MaxBurstLength", "16776192", Some("4194304")),
            ("InitialR2T", "No", Some("No")),
            ("InitialR2T", "maybe", Some("Reject")),
            ("MaxConnections", "8", Some("1")),
            ("ErrorRecoveryLevel", "2", Some("0")),
            ("DefaultTime2Wait", "0", Some("2")),
            ("OFMarker", "No", Some("No")),
            ("X-com.example", "1", Some("NotUnderstood")),
        ] {
            assert_eq!(answer(key, offer).as_deref(), expected, "{key}={offer}");
        }
    }

    proptest! {
        #[test]
        fn no_offer_breaks_it(key in "MaxBurstLength|FirstBurstLength|HeaderDigest|ErrorRecoveryLevel|\\PC{0,10}", value in "\\PC{0,20}") {
            let mut parameters = Parameters::default();
            let _ = parameters.negotiate(&key, &value);
            parameters.settle();
            prop_assert!(parameters.first_burst <= parameters.max_burst && parameters.max_burst <= MAX_BURST as usize);
        }
    }
}
