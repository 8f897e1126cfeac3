//! The login phase (RFC 7143 s. 6.3): security, then operational keys, then the session. A state machine without I/O.

use std::sync::Arc;

use super::chap::Exchange;
use super::parameters::{MAX_DATA_SEGMENT, Parameters};
use super::target::{Opened, Portal, Refused, Target};
use super::wire::pdu::{CONTINUE, FINAL, LoginRequest, LoginResponse};
use super::wire::text::{Keys, TEXT_MAX};
use crate::array::{ChapAccounts, Initiator, PortPos};
use crate::datapath::LoginError;
use crate::server::Cut;

/// Class and detail of a login status (s. 11.13.5).
mod status {
    pub(super) const INITIATOR_ERROR: u16 = 0x0200;
    pub(super) const AUTHENTICATION: u16 = 0x0201;
    pub(super) const NOT_FOUND: u16 = 0x0203;
    pub(super) const VERSION: u16 = 0x0205;
    pub(super) const TOO_MANY_CONNECTIONS: u16 = 0x0206;
    pub(super) const MISSING_PARAMETER: u16 = 0x0207;
    pub(super) const SESSION_TYPE: u16 = 0x0209;
    pub(super) const NO_SESSION: u16 = 0x020A;
    pub(super) const INVALID_REQUEST: u16 = 0x020B;
    pub(super) const UNAVAILABLE: u16 = 0x0301;
}

const SECURITY: u8 = 0;
const OPERATIONAL: u8 = 1;
const FULL_FEATURE: u8 = 3;

/// What the initiator has to do to be believed.
#[derive(Debug)]
enum Proof {
    /// Nothing was said about it yet.
    Open,
    /// It is proving itself.
    Chap(Box<Exchange>),
    /// It needs none, or has given it.
    Done,
}

/// What a session is for.
#[derive(Debug, Clone)]
pub(super) enum Purpose {
    /// Finding targets.
    Discovery,
    /// Commands.
    Normal(Opened, PortPos),
}

/// What a login came to.
#[derive(Debug)]
pub(super) struct Established {
    pub(super) purpose: Purpose,
    pub(super) parameters: Parameters,
    /// Next status number.
    pub(super) stat_sn: u32,
    /// Next command number.
    pub(super) exp_cmd_sn: u32,
}

/// What to do after a request.
pub(super) enum Step {
    /// Answer and wait for the next request.
    Answer(LoginResponse, Vec<u8>),
    /// Answer and go on to the full feature phase.
    Finish(LoginResponse, Vec<u8>, Box<Established>),
    /// Answer and close the connection.
    Refuse(LoginResponse),
}

/// A refusal with what the log says of it.
struct Refusal(u16, String);

type Checked<T> = Result<T, Refusal>;

fn refuse<T>(status: u16, why: &(impl ToString + ?Sized)) -> Checked<T> {
    Err(Refusal(status, why.to_string()))
}

/// A login that is going on.
pub(super) struct Login {
    target: Arc<Target>,
    portal: Arc<Portal>,
    cut: Cut,
    begun: bool,
    initiator: Option<Initiator>,
    accounts: ChapAccounts,
    port: Option<PortPos>,
    discovery: bool,
    proof: Proof,
    parameters: Parameters,
    declared: bool,
    text: Vec<u8>,
    stat_sn: u32,
}

impl Login {
    pub(super) fn new(target: Arc<Target>, portal: Arc<Portal>, cut: Cut) -> Self {
        Self {
            target,
            portal,
            cut,
            begun: false,
            initiator: None,
            accounts: ChapAccounts::default(),
            port: None,
            discovery: false,
            proof: Proof::Open,
            parameters: Parameters::default(),
            declared: false,
            text: Vec::new(),
            stat_sn: 0,
        }
    }

    /// Name of the initiator, as far as it is known.
    pub(super) fn initiator(&self) -> String {
        self.initiator.as_ref().map_or_else(|| "an initiator without a name".to_owned(), ToString::to_string)
    }

    /// Answers a request.
    pub(super) fn step(&mut self, request: &LoginRequest, data: &[u8]) -> Step {
        let response = LoginResponse {
            isid: request.isid,
            tsih: request.tsih,
            initiator_task_tag: request.initiator_task_tag,
            stat_sn: self.stat_sn,
            exp_cmd_sn: request.cmd_sn,
            max_cmd_sn: request.cmd_sn.wrapping_add(super::session::WINDOW - 1),
            ..LoginResponse::default()
        };
        self.stat_sn = self.stat_sn.wrapping_add(1);
        match self.answer(request, response, data) {
            Ok(step) => step,
            Err(Refusal(status, why)) => {
                tracing::info!(initiator = %self.initiator(), status = format_args!("{status:#06x}"), "login refused: {why}");
                let next = (request.flags & 0x0C) >> 2;
                Step::Refuse(LoginResponse { flags: next << 2, status, ..response })
            }
        }
    }

    fn answer(&mut self, request: &LoginRequest, mut response: LoginResponse, data: &[u8]) -> Checked<Step> {
        if request.version_min > 0 {
            return refuse(status::VERSION, "it speaks a later version only");
        }
        if self.text.len() + data.len() > TEXT_MAX {
            return refuse(status::INITIATOR_ERROR, "its login text is too long");
        }
        self.text.extend_from_slice(data);
        let (current, next) = (request.flags >> 2 & 3, request.flags & 3);
        let (transit, more) = (request.flags & FINAL != 0, request.flags & CONTINUE != 0);
        response.flags = current << 2;
        if more {
            if transit {
                return refuse(status::INVALID_REQUEST, "a request both goes on and ends its stage");
            }
            return Ok(Step::Answer(response, Vec::new()));
        }
        let keys =
            Keys::parse(&std::mem::take(&mut self.text)).or_else(|error| refuse(status::INITIATOR_ERROR, &error))?;
        let mut reply = Keys::default();
        if !self.begun {
            self.begin(&keys, &mut reply)?;
        }
        match current {
            SECURITY => self.secure(&keys, &mut reply)?,
            OPERATIONAL => self.refuse_unproved()?,
            _ => return refuse(status::INVALID_REQUEST, "it names a stage that a login does not have"),
        }
        self.negotiate(&keys, &mut reply);
        let ready = match current {
            SECURITY => !matches!(self.proof, Proof::Chap(_)),
            _ => true,
        };
        if !transit || !ready {
            return Ok(Step::Answer(response, reply.encode()));
        }
        if next <= current || next == 2 {
            return refuse(status::INVALID_REQUEST, "it wants to go to a stage that does not follow");
        }
        self.refuse_unproved()?;
        response.flags = FINAL | current << 2 | next;
        if next != FULL_FEATURE {
            return Ok(Step::Answer(response, reply.encode()));
        }
        let purpose = self.finish(request, &mut response)?;
        self.parameters.settle();
        let (parameters, stat_sn, exp_cmd_sn) = (self.parameters, self.stat_sn, request.cmd_sn);
        let established = Established { purpose, parameters, stat_sn, exp_cmd_sn };
        Ok(Step::Finish(response, reply.encode(), Box::new(established)))
    }

    /// Reads who it is and what it wants, from the first request.
    fn begin(&mut self, keys: &Keys, reply: &mut Keys) -> Checked<()> {
        let Some(name) = keys.get("InitiatorName") else {
            return refuse(status::MISSING_PARAMETER, "InitiatorName is missing");
        };
        let iscsi_name = |name: &str| crate::array::Iqn::new(name).map(Initiator::Iscsi);
        let initiator = iscsi_name(name).or_else(|error| refuse(status::INITIATOR_ERROR, &error))?;
        self.discovery = match keys.get("SessionType") {
            None | Some("Normal") => false,
            Some("Discovery") => true,
            Some(_) => return refuse(status::SESSION_TYPE, "SessionType is neither Normal nor Discovery"),
        };
        let wanted = keys.get("TargetName");
        let (accounts, found) = self.target.emulator().with(|array, _| {
            let accounts = array.host_of(&initiator).map(|host| host.chap.clone()).unwrap_or_default();
            let ports = self.portal.ports.iter().filter_map(|pos| array.port(*pos).ok());
            let mut named = ports.filter_map(|port| port.iscsi().map(|(name, _)| (name, port)));
            let found = wanted.and_then(|wanted| named.find(|(name, _)| name.eq_ignore_ascii_case(wanted)));
            (accounts, found.map(|(_, port)| (port.pos, port.relative_id())))
        });
        (self.initiator, self.accounts, self.begun) = (Some(initiator), accounts, true);
        match (found, wanted) {
            (Some((port, tag)), _) => {
                self.port = Some(port);
                reply.push("TargetPortalGroupTag", tag.to_string());
            }
            (None, Some(wanted)) if !self.discovery => {
                return refuse(status::NOT_FOUND, &format!("there is no target {wanted} on this portal"));
            }
            (None, None) if !self.discovery => return refuse(status::MISSING_PARAMETER, "TargetName is missing"),
            _ => {}
        }
        Ok(())
    }

    fn must_prove(&self) -> bool {
        self.accounts.initiator.is_some()
    }

    fn refuse_unproved(&mut self) -> Checked<()> {
        match self.proof {
            Proof::Done => Ok(()),
            Proof::Open if !self.must_prove() => {
                self.proof = Proof::Done;
                Ok(())
            }
            _ => refuse(status::AUTHENTICATION, "its host has a CHAP account, and it has not proved itself"),
        }
    }

    /// The security stage.
    fn secure(&mut self, keys: &Keys, reply: &mut Keys) -> Checked<()> {
        if let Proof::Chap(exchange) = &mut self.proof {
            let step = exchange.step(keys).or_else(|error| refuse(status::AUTHENTICATION, &error))?;
            step.keys.iter().for_each(|(key, value)| reply.push(key, value));
            if step.done {
                self.proof = Proof::Done;
            }
            return Ok(());
        }
        let Some(offered) = keys.get("AuthMethod") else { return Ok(()) };
        let method = if self.must_prove() { "CHAP" } else { "None" };
        if !offered.split(',').any(|offer| offer == method) {
            let why = format_args!("it offers {offered} for AuthMethod, where {method} is needed").to_string();
            return refuse(status::AUTHENTICATION, &why);
        }
        reply.push("AuthMethod", method);
        self.proof =
            if self.must_prove() { Proof::Chap(Box::new(Exchange::new(self.accounts.clone()))) } else { Proof::Done };
        Ok(())
    }

    /// The operational keys.
    fn negotiate(&mut self, keys: &Keys, reply: &mut Keys) {
        let elsewhere = ["InitiatorName", "InitiatorAlias", "TargetName", "SessionType", "AuthMethod"];
        let mut operational = false;
        for (key, value) in keys.iter() {
            if elsewhere.contains(&key) || key.starts_with("CHAP_") {
                continue;
            }
            operational = true;
            if let Some(answer) = self.parameters.negotiate(key, value) {
                reply.push(key, answer);
            }
        }
        if operational && !self.declared {
            self.declared = true;
            reply.push("MaxRecvDataSegmentLength", MAX_DATA_SEGMENT.to_string());
        }
    }

    /// Opens the session.
    fn finish(&self, request: &LoginRequest, response: &mut LoginResponse) -> Checked<Purpose> {
        let (Some(initiator), port) = (&self.initiator, self.port) else {
            return refuse(status::MISSING_PARAMETER, "InitiatorName is missing");
        };
        let Some(port) = port.filter(|_| !self.discovery) else {
            response.tsih = self.target.next_tsih();
            return Ok(Purpose::Discovery);
        };
        match self.target.open(initiator, request.isid, port, request.tsih, self.cut.clone()) {
            Ok(opened) => {
                response.tsih = opened.tsih;
                Ok(Purpose::Normal(opened, port))
            }
            Err(refused) => {
                let status = match &refused {
                    Refused::NoSuchSession => status::NO_SESSION,
                    Refused::TooManyConnections => status::TOO_MANY_CONNECTIONS,
                    Refused::Array(LoginError::PortNotReady(_)) => status::UNAVAILABLE,
                    Refused::Array(_) => status::NOT_FOUND,
                };
                refuse(status, &refused)
            }
        }
    }
}
