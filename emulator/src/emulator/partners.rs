//! Arrays in one process that know each other as remote copy targets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, Weak};
use std::time::Duration;

use super::{Emulator, Shared, lock};
use crate::array::{Array, ArrayError, Partners};

/// Serial numbers give the order in which several arrays are locked.
static NEXT_SERIAL: AtomicU64 = AtomicU64::new(0);

/// A number that no other array of this process has.
pub(super) fn next_serial() -> u64 {
    NEXT_SERIAL.fetch_add(1, Ordering::Relaxed)
}

/// Another array, as one knows it.
pub(super) struct Partner {
    /// Name of the target that stands for it.
    target: String,
    array: Weak<Shared>,
    /// Whether the links to it work.
    up: bool,
}

impl Emulator {
    /// Joins two arrays by remote copy links: this one knows the other as the target `there`, and is known to it as `here`.
    ///
    /// # Errors
    /// Those of [`Array::add_rcopy_target`]; 44 when the arrays are the same or have one system id.
    pub fn link(&self, there: &str, other: &Self, here: &str) -> Result<(), ArrayError> {
        let system_of = |emulator: &Self| emulator.with(|array, _| array.config().system_id);
        let (own, its) = (system_of(self), system_of(other));
        if own == its {
            return Err(ArrayError::parameter_conflict().with_ref("system_id"));
        }
        self.with(|array, _| array.add_rcopy_target(there, its))?;
        if let Err(refused) = other.with(|array, _| array.add_rcopy_target(here, own)) {
            self.with(|array, _| array.forget_rcopy_target(there));
            return Err(refused);
        }
        let partner = |target: &str, emulator: &Self| Partner {
            target: target.to_owned(),
            array: Arc::downgrade(&emulator.shared),
            up: true,
        };
        lock(&self.shared.partners).push(partner(there, other));
        lock(&other.shared.partners).push(partner(here, self));
        Ok(())
    }

    /// Cuts the links to the array behind a target, or mends them, in both directions; gives whether there is such a target.
    pub fn set_link(&self, target: &str, up: bool) -> bool {
        let other = {
            let mut partners = lock(&self.shared.partners);
            let Some(partner) = partners.iter_mut().find(|partner| partner.target == target) else { return false };
            partner.up = up;
            partner.array.upgrade()
        };
        if let Some(other) = other {
            let own = Arc::downgrade(&self.shared);
            lock(&other.partners).iter_mut().filter(|p| p.array.ptr_eq(&own)).for_each(|partner| partner.up = up);
        }
        true
    }

    /// Runs a closure on the array and on those of its remote copy targets that can be reached, at the current time of each.
    ///
    /// Do not call another method of one of the handles inside the closure: their locks are held. All callers lock in one order, so
    /// two arrays that work on each other cannot wait for each other.
    pub fn with_partners<T>(&self, run: impl FnOnce(&mut Array, &mut Partners<'_>, Duration) -> T) -> T {
        let mut involved: Vec<(Option<String>, Arc<Shared>)> = lock(&self.shared.partners)
            .iter()
            .filter(|partner| partner.up)
            .filter_map(|partner| Some((Some(partner.target.clone()), partner.array.upgrade()?)))
            .collect();
        involved.push((None, Arc::clone(&self.shared)));
        involved.sort_by_key(|(_, shared)| shared.serial);
        let now = self.now();
        let mut held: Vec<(&Option<String>, &Arc<Shared>, MutexGuard<'_, Array>)> =
            involved.iter().map(|(target, shared)| (target, shared, lock(&shared.array))).collect();
        let (mut own, mut partners) = (None, Partners::default());
        for (target, shared, guard) in &mut held {
            guard.advance((shared.clock)());
            match target {
                Some(target) => partners = partners.with(target, guard),
                None => own = Some(&mut **guard),
            }
        }
        let result = match own {
            Some(array) => run(array, &mut partners, now),
            // The own array is always among those that were locked.
            None => unreachable!("an array is not among its own"),
        };
        drop(partners);
        let told: Vec<(Arc<Shared>, u64)> =
            held.iter().map(|(_, shared, guard)| (Arc::clone(shared), guard.events().last_seq())).collect();
        drop(held);
        for (shared, last) in told {
            shared.tell(last);
        }
        result
    }

    /// Sends over what waits for partners.
    pub(super) fn replicate(&self) {
        self.with_partners(|array, partners, now| array.replicate(partners, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::{
        AdmitRcopyTarget, AdmitVolume, ArrayConfig, CreateHost, CreateRcopyGroup, CreateRcopyTarget, CreateVlun,
        CreateVolume, Initiator, Lun, PortPos, StartGroup,
    };

    /// Two arrays with a started group of one volume.
    fn joined() -> (Emulator, Emulator) {
        let array = |system_id| {
            Emulator::with_clock(ArrayConfig { system_id, ..ArrayConfig::default() }, || Duration::from_secs(10))
        };
        let (here, there) = (array(1), array(2));
        here.link("there", &there, "here").unwrap();
        here.with(|array, now| {
            array.create_volume(now, &CreateVolume::thin("v1", "FC_r6", 1024)).unwrap();
            array.create_host(now, &CreateHost::iscsi("h1", &["iqn.1994-05.com.example:h1"])).unwrap();
            array.create_vlun(now, &CreateVlun::host_sees("v1", 1, "h1")).unwrap();
        });
        let target =
            CreateRcopyTarget { target_name: Some("there".into()), mode: Some(1), ..CreateRcopyTarget::default() };
        let group =
            CreateRcopyGroup { name: Some("g1".into()), targets: Some(vec![target]), ..CreateRcopyGroup::default() };
        let mirror = AdmitRcopyTarget { target_name: Some("there".into()), sec_volume_name: Some("m1".into()) };
        let admit = AdmitVolume {
            volume_name: Some("v1".into()),
            targets: Some(vec![mirror]),
            volume_auto_creation: Some(true),
            ..AdmitVolume::default()
        };
        here.with_partners(|array, partners, now| {
            array.create_rcopy_group(partners, now, &group)?;
            array.admit_volume(partners, now, "g1", &admit)?;
            array.start_rcopy_group(partners, now, "g1", &StartGroup::default())
        })
        .unwrap();
        (here, there)
    }

    fn write(emulator: &Emulator, data: &[u8]) {
        emulator.with(|array, now| {
            let initiator = Initiator::parse("iqn.1994-05.com.example:h1").unwrap();
            let session = array.login(now, &initiator, PortPos::new(0, 2, 1).unwrap()).unwrap();
            array.write(now, session, Lun::new(1).unwrap(), 0, data, None).unwrap();
        });
    }

    #[test]
    fn a_write_is_on_the_other_array_before_its_call_returns() {
        let (here, there) = joined();
        write(&here, b"data");
        assert_eq!(there.with(|array, _| array.peek("m1", 0, 4)).unwrap(), b"data");
    }

    #[test]
    fn without_links_the_group_stops() {
        let (here, there) = joined();
        assert!(here.set_link("there", false));
        write(&here, b"data");
        assert_eq!(there.with(|array, _| array.peek("m1", 0, 4)).unwrap(), [0; 4]);
        let state = here.with(|array, _| array.rcopy_group_row("g1").unwrap()["targets"][0]["state"].clone());
        assert_eq!(state, 5);
        assert!(there.set_link("here", true) && !there.set_link("nix", true));
        let again = here
            .with_partners(|array, partners, now| array.start_rcopy_group(partners, now, "g1", &StartGroup::default()));
        again.unwrap();
        assert_eq!(there.with(|array, _| array.peek("m1", 0, 4)).unwrap(), b"data");
    }

    #[test]
    fn two_arrays_that_work_on_each_other_do_not_wait_for_each_other() {
        let (here, there) = joined();
        std::thread::scope(|scope| {
            for emulator in [&here, &there] {
                scope.spawn(move || {
                    for _ in 0..200 {
                        emulator.with_partners(|array, partners, now| array.replicate(partners, now));
                    }
                });
            }
        });
    }

    #[test]
    fn one_system_id_is_one_array() {
        let (here, there) = joined();
        assert_eq!(here.link("again", &here, "again").unwrap_err().code, 44);
        assert_eq!(here.link("there", &there, "other").unwrap_err().status, 409);
        assert_eq!(here.link("other", &there, "here").unwrap_err().status, 409);
        assert_eq!(here.with(|array, _| array.rcopy_targets().count()), 1);
    }
}
