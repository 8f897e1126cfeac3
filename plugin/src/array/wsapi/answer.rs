//! What an answer of the array means for the caller: done, refused, or nobody knows.
//!
//! Codes are those of the WSAPI developer's guides 1.2 (p. 20-24) and 1.3.1 (p. 22), and numbers seen in answers of real arrays.

use reqwest::StatusCode;
use serde::Deserialize;

use crate::array::ArrayError;
use crate::array::operation::{Effect, Operation};

/// `invalid user or password`.
pub(super) const INV_USER_PASS: u32 = 5;
/// `invalid session key`: missing, unknown or expired; the request was not carried out.
pub(super) const INV_SESS_KEY: u32 = 6;

/// What is not there, by code.
const NOT_FOUND: [(u32, &str); 13] = [
    (15, "CPG"),
    (17, "host"),
    (19, "VLUN"),
    (20, "port"),
    (23, "volume"),
    (38, "domain"),
    (80, "path"),
    (100, "QoS rule"),
    (102, "set"),
    (145, "task"),
    (180, "object key"),
    (187, "remote copy group"),
    (285, "flash cache"),
];
/// CPG, host, LUN, volume, volume id, path of another host, set, QoS rule, object key, remote copy group.
const EXISTS: [u32; 10] = [14, 16, 18, 22, 59, 73, 101, 114, 181, 237];

/// An answer as it came: status line, `Location` and body.
#[derive(Debug)]
pub(super) struct Answer {
    /// HTTP status.
    pub(super) status: StatusCode,
    /// `Location` header of a create.
    pub(super) location: Option<String>,
    /// Body; `None` when it was cut off or longer than accepted.
    pub(super) body: Option<Vec<u8>>,
}

#[derive(Debug, Default, Deserialize)]
struct ErrorBody {
    code: Option<u32>,
    desc: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<serde_json::Value>,
}

impl Answer {
    fn error_body(&self) -> ErrorBody {
        self.body.as_deref().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default()
    }

    /// The array does not know the session key, so it did not carry out the request.
    pub(super) fn is_invalid_session(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
            || (self.status == StatusCode::FORBIDDEN && self.error_body().code == Some(INV_SESS_KEY))
    }

    /// Error code of the array, if the answer carries one.
    pub(super) fn code(&self) -> Option<u32> {
        self.error_body().code
    }

    /// The answer itself if the array carried out the request, else what its refusal means.
    pub(super) fn accepted(self, operation: &Operation) -> Result<Self, ArrayError> {
        if self.status.is_success() { Ok(self) } else { Err(self.refusal(operation)) }
    }

    /// What a status outside 200-299 means.
    pub(super) fn refusal(&self, operation: &Operation) -> ArrayError {
        let ErrorBody { code, desc, reference } = self.error_body();
        let status = self.status;
        let mut message = format!("HTTP {status}");
        if let Some(desc) = desc {
            message = format!("{desc} ({message})");
        }
        if let Some(reference) = reference {
            message = format!("{message}, about {reference}");
        }
        // With a code it is the array that says so; without one it may be whatever stands before it, which may have passed
        // the request on.
        if status == StatusCode::SERVICE_UNAVAILABLE && (code.is_some() || operation.effect() == Effect::Read) {
            return operation.busy(message);
        }
        if let Some((_, kind)) = NOT_FOUND.into_iter().find(|(known, _)| Some(*known) == code) {
            return operation.not_found_kind(kind);
        }
        match code {
            Some(code) if EXISTS.contains(&code) => operation.exists(message),
            // The array, or something before it, broke down over the request: perhaps after it had taken effect.
            code if may_have_taken_effect(status) => match operation.effect() {
                Effect::Change => operation.unknown(coded(&message, code)),
                Effect::Read => operation.unknown(message),
            },
            code => operation.refused(code.unwrap_or(0), message),
        }
    }
}

fn coded(message: &str, code: Option<u32>) -> String {
    code.map_or_else(|| message.to_owned(), |code| format!("{message}, code {code}"))
}

/// 408 tells of a time-out in either direction (guide 1.3.1 p. 22, code 7), 500 and gateway errors say nothing of the effect.
fn may_have_taken_effect(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::REQUEST_TIMEOUT
            | StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> ArrayError {
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            location: None,
            body: Some(body.as_bytes().to_vec()),
        };
        answer.refusal(&Operation::change("removing", "VLUN v,1,h"))
    }

    fn coded(status: u16, code: u32) -> ArrayError {
        refusal(status, &format!(r#"{{"code":{code},"desc":"text","ref":"member"}}"#))
    }

    #[test]
    fn objects_missing_and_objects_in_the_way() {
        for code in [15, 17, 19, 20, 23] {
            assert!(coded(404, code).is_not_found(), "{code}");
        }
        for (status, code) in [(409, 16), (409, 18), (409, 22), (409, 73), (400, 101)] {
            assert!(matches!(coded(status, code), ArrayError::Exists { .. }), "{code}");
        }
    }

    #[test]
    fn what_is_missing_is_what_the_code_says() {
        assert!(coded(404, 19).to_string().starts_with("array has no VLUN v,1,h ("));
        assert!(coded(404, 17).to_string().starts_with("array has no host that is needed for it ("));
    }

    #[test]
    fn a_404_of_something_else_is_no_missing_object() {
        assert!(matches!(coded(404, 11), ArrayError::Refused { code: 11, .. }));
        assert!(matches!(coded(404, 21), ArrayError::Refused { code: 21, .. }));
        assert!(matches!(refusal(404, "<html>not found</html>"), ArrayError::Refused { code: 0, .. }));
    }

    #[test]
    fn busy_refused_and_unknown() {
        assert!(matches!(coded(503, 31), ArrayError::Busy { .. }));
        assert!(matches!(coded(403, 13), ArrayError::Refused { code: 13, .. }));
        assert!(matches!(coded(409, 34), ArrayError::Refused { code: 34, .. }));
        assert!(matches!(refusal(302, ""), ArrayError::Refused { .. }));
        for status in [408, 500, 502, 503, 504] {
            assert!(refusal(status, "").is_unknown(), "{status}");
        }
        assert!(coded(500, 1).is_unknown());
    }

    #[test]
    fn the_message_carries_text_and_member() {
        let text = coded(400, 40).to_string();
        assert!(text.contains("text (HTTP 400") && text.contains("member") && text.contains("code 40"), "{text}");
    }
}
