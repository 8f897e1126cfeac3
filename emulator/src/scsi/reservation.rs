//! Persistent reservations (SPC-4 s. 5.12): registrations and the reservation of one volume, as a state machine without I/O.

use std::collections::BTreeMap;

use crate::array::{Initiator, PortPos};
use crate::datapath::{Isid, Nexus};

/// An I_T nexus as reservations know it. It outlives its session.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Registrant {
    pub(crate) initiator: Initiator,
    pub(crate) isid: Option<Isid>,
    pub(crate) port: PortPos,
}

impl Registrant {
    pub(crate) fn of(nexus: &Nexus) -> Self {
        Self { initiator: nexus.initiator.clone(), isid: nexus.isid, port: nexus.port }
    }
}

/// Key of a registration.
pub(crate) type Key = u64;

/// Type of a reservation; the numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    WriteExclusive = 1,
    ExclusiveAccess = 3,
    WriteExclusiveRegistrants = 5,
    ExclusiveAccessRegistrants = 6,
    WriteExclusiveAll = 7,
    ExclusiveAccessAll = 8,
}

impl Kind {
    pub(crate) fn from_wire(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::WriteExclusive,
            3 => Self::ExclusiveAccess,
            5 => Self::WriteExclusiveRegistrants,
            6 => Self::ExclusiveAccessRegistrants,
            7 => Self::WriteExclusiveAll,
            8 => Self::ExclusiveAccessAll,
            _ => return None,
        })
    }

    /// Every registrant holds it.
    const fn is_held_by_all(self) -> bool {
        matches!(self, Self::WriteExclusiveAll | Self::ExclusiveAccessAll)
    }

    /// Registrants have the rights of the holder.
    const fn admits_registrants(self) -> bool {
        !matches!(self, Self::WriteExclusive | Self::ExclusiveAccess)
    }

    const fn admits_reads(self) -> bool {
        matches!(self, Self::WriteExclusive | Self::WriteExclusiveRegistrants | Self::WriteExclusiveAll)
    }
}

/// The reservation. Without a holder every registrant holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reservation {
    pub(crate) kind: Kind,
    pub(crate) holder: Option<Registrant>,
}

/// Why a service action is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// RESERVATION CONFLICT.
    Conflict,
    /// INVALID FIELD IN PARAMETER LIST.
    InvalidParameter,
    /// INVALID RELEASE OF PERSISTENT RESERVATION.
    InvalidRelease,
}

/// What a service action did to others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Effects {
    /// They are told RESERVATIONS RELEASED.
    pub(crate) released: Vec<Registrant>,
    /// They are told RESERVATIONS PREEMPTED.
    pub(crate) cleared: Vec<Registrant>,
    /// They are told REGISTRATIONS PREEMPTED.
    pub(crate) preempted: Vec<Registrant>,
}

/// Registrations and reservation of a volume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reservations {
    registrations: BTreeMap<Registrant, Key>,
    reservation: Option<Reservation>,
    generation: u32,
    /// Whether the last registration asked to be kept through a loss of power.
    pub(crate) persists: bool,
}

impl Reservations {
    /// Whether there is neither registration nor reservation.
    pub(crate) fn is_free(&self) -> bool {
        self.registrations.is_empty() && self.reservation.is_none()
    }

    /// Counts the changes of registrations.
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    pub(crate) fn registrations(&self) -> impl Iterator<Item = (&Registrant, Key)> {
        self.registrations.iter().map(|(who, key)| (who, *key))
    }

    pub(crate) fn reservation(&self) -> Option<&Reservation> {
        self.reservation.as_ref()
    }

    /// Key that stands for the holder: zero where all registrants hold it.
    pub(crate) fn holder_key(&self) -> Option<Key> {
        let holder = self.reservation.as_ref()?.holder.as_ref();
        Some(holder.and_then(|who| self.registrations.get(who)).copied().unwrap_or(0))
    }

    pub(crate) fn is_holder(&self, who: &Registrant) -> bool {
        self.reservation.as_ref().is_some_and(|held| match &held.holder {
            Some(holder) => holder == who,
            None => self.registrations.contains_key(who),
        })
    }

    /// Whether a command that reads or writes is admitted.
    pub(crate) fn admits(&self, who: &Registrant, writes: bool) -> bool {
        let Some(held) = &self.reservation else { return true };
        self.is_holder(who)
            || held.kind.admits_registrants() && self.registrations.contains_key(who)
            || held.kind.admits_reads() && !writes
    }

    fn others(&self, who: &Registrant) -> Vec<Registrant> {
        self.registrations.keys().filter(|other| *other != who).cloned().collect()
    }

    fn count(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }

    /// REGISTER, and with `ignore` REGISTER AND IGNORE EXISTING KEY.
    pub(crate) fn register(&mut self, who: &Registrant, key: Key, new: Key, ignore: bool) -> Result<Effects, Refusal> {
        let held = self.registrations.get(who).copied();
        if !ignore && held.unwrap_or(0) != key {
            return Err(Refusal::Conflict);
        }
        match (held, new) {
            (None, 0) => Ok(Effects::default()),
            (Some(_), 0) => {
                self.count();
                Ok(self.unregister(who))
            }
            _ => {
                self.count();
                self.registrations.insert(who.clone(), new);
                Ok(Effects::default())
            }
        }
    }

    /// Takes a registration away; a reservation it held goes with it.
    fn unregister(&mut self, who: &Registrant) -> Effects {
        self.registrations.remove(who);
        let ends = self.reservation.as_ref().is_some_and(|held| match &held.holder {
            Some(holder) => holder == who,
            None => self.registrations.is_empty(),
        });
        if !ends {
            return Effects::default();
        }
        let told = self.reservation.take().is_some_and(|held| held.kind.admits_registrants());
        Effects { released: if told { self.others(who) } else { Vec::new() }, ..Effects::default() }
    }

    fn refuse_stranger(&self, who: &Registrant, key: Key) -> Result<(), Refusal> {
        if self.registrations.get(who) == Some(&key) { Ok(()) } else { Err(Refusal::Conflict) }
    }

    fn reserve_for(&mut self, who: &Registrant, kind: Kind) {
        let holder = (!kind.is_held_by_all()).then(|| who.clone());
        self.reservation = Some(Reservation { kind, holder });
    }

    /// RESERVE.
    pub(crate) fn reserve(&mut self, who: &Registrant, key: Key, kind: Kind) -> Result<Effects, Refusal> {
        self.refuse_stranger(who, key)?;
        match &self.reservation {
            None => self.reserve_for(who, kind),
            Some(held) if held.kind == kind && self.is_holder(who) => {}
            Some(_) => return Err(Refusal::Conflict),
        }
        Ok(Effects::default())
    }

    /// RELEASE.
    pub(crate) fn release(&mut self, who: &Registrant, key: Key, kind: Kind) -> Result<Effects, Refusal> {
        self.refuse_stranger(who, key)?;
        let Some(held) = self.reservation.as_ref().filter(|_| self.is_holder(who)) else {
            return Ok(Effects::default());
        };
        if held.kind != kind {
            return Err(Refusal::InvalidRelease);
        }
        let told = held.kind.admits_registrants();
        self.reservation = None;
        Ok(Effects { released: if told { self.others(who) } else { Vec::new() }, ..Effects::default() })
    }

    /// CLEAR.
    pub(crate) fn clear(&mut self, who: &Registrant, key: Key) -> Result<Effects, Refusal> {
        self.refuse_stranger(who, key)?;
        let cleared = self.others(who);
        self.registrations.clear();
        self.reservation = None;
        self.count();
        Ok(Effects { cleared, ..Effects::default() })
    }

    /// PREEMPT. Those whose registrations go are in [`Effects::preempted`]; PREEMPT AND ABORT aborts their tasks, too.
    pub(crate) fn preempt(&mut self, who: &Registrant, key: Key, victim: Key, kind: Kind) -> Result<Effects, Refusal> {
        self.refuse_stranger(who, key)?;
        let held = self.reservation.clone();
        let all_hold = held.as_ref().is_some_and(|held| held.holder.is_none());
        if victim == 0 && !all_hold {
            return Err(Refusal::InvalidParameter);
        }
        let takes_over = held.is_some() && self.holder_key() == Some(victim);
        // A zero key on a reservation that all hold stands for everybody else.
        let goes = |other: &Registrant, held_key: Key| other != who && (victim == 0 || held_key == victim);
        let preempted: Vec<Registrant> =
            self.registrations().filter(|(other, key)| goes(other, *key)).map(|(other, _)| other.clone()).collect();
        let own = self.registrations.get(who) == Some(&victim);
        if !takes_over && preempted.is_empty() && !own {
            return Err(Refusal::Conflict);
        }
        for other in &preempted {
            self.registrations.remove(other);
        }
        let mut effects = Effects { preempted, ..Effects::default() };
        if takes_over {
            // Registrants that stay hear of a reservation of another type.
            if held.is_some_and(|held| held.kind != kind && held.kind.admits_registrants()) {
                effects.released = self.others(who);
            }
            self.reserve_for(who, kind);
        } else if own && effects.preempted.is_empty() {
            effects = self.unregister(who);
        }
        self.count();
        Ok(effects)
    }
}
