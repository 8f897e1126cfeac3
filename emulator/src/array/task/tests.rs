use super::*;
use crate::array::{ArrayConfig, CreatePhysicalCopy, CreateVolume, TaskPace};

const NOW: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// An array whose copies take 100 seconds, with the volumes `v1` and `v2`.
fn array() -> Array {
    let task_pace = TaskPace { at_least: Duration::from_secs(100), mib_per_second: 1 };
    let mut array = Array::new(ArrayConfig { task_pace, ..ArrayConfig::default() });
    for name in ["v1", "v2"] {
        array.create_volume(NOW, &CreateVolume::thin(name, "FC_r6", 1024)).unwrap();
    }
    array
}

fn copy(array: &mut Array) -> TaskNumber {
    array.create_physical_copy(NOW, "v1", &CreatePhysicalCopy::offline("v2")).unwrap().task
}

#[test]
fn a_task_runs_in_virtual_time() {
    let mut array = array();
    let number = copy(&mut array);
    assert_eq!(array.next_due(), Some(NOW + Duration::from_secs(100)));
    array.advance(NOW + Duration::from_secs(25));
    let row = serde_json::to_value(array.task_row(number).unwrap()).unwrap();
    assert_eq!((&row["type"], &row["status"], &row["name"]), (&1.into(), &2.into(), &"v2".into()));
    assert_eq!((&row["phase"], &row["finishTime"]), (&"1/1".into(), &"-".into()));
    assert!(row["detailedStatus"].as_str().unwrap().contains("25% complete"), "{row}");
    array.advance(NOW + Duration::from_secs(500));
    let row = serde_json::to_value(array.task_row(number).unwrap()).unwrap();
    assert_eq!(row["status"], 1);
    assert_eq!(row["startTime"], "2026-01-01 00:01:00 UTC");
    assert_eq!(row["finishTime"], "2026-01-01 00:02:40 UTC", "it ended at its time, not when somebody looked");
    assert!(row.get("phase").is_none());
}

#[test]
fn a_task_is_cancelled_once() {
    let mut array = array();
    let number = copy(&mut array);
    array.cancel_task(NOW, number).unwrap();
    assert_eq!(u8::from(array.task(number).unwrap().status), 3);
    assert_eq!(array.cancel_task(NOW, number).unwrap_err().status, 400);
    assert_eq!(array.cancel_task(NOW, TaskNumber::new(999).unwrap()).unwrap_err().code, 145);
    assert_eq!(array.next_due(), None);
}

#[test]
fn numbers_have_bounds() {
    assert_eq!(TaskNumber::new(0).unwrap_err().code, 115);
    assert_eq!(TaskNumber::new(65_536).unwrap_err().code, 43);
    assert_eq!(TaskNumber::new(65_535).unwrap().get(), 65_535);
}

#[test]
fn ended_tasks_are_listed_for_a_day_and_the_list_is_never_empty() {
    let mut array = array();
    let number = copy(&mut array);
    array.advance(24 * HOUR);
    assert!(array.task(number).is_ok());
    array.advance(25 * HOUR);
    assert_eq!(array.task(number).unwrap_err().code, 145);
    array.advance(10_000 * HOUR);
    let names: Vec<&str> = array.tasks().map(|t| t.name.as_str()).collect();
    assert!(names.contains(&"check_slow_disk") && names.contains(&"remove_expired_vvs"), "{names:?}");
}

#[test]
fn expired_volumes_go_with_the_hourly_run_unless_they_are_used() {
    let mut array = array();
    let expiring =
        |name: &str, hours| CreateVolume { expiration_hours: Some(hours), ..CreateVolume::thin(name, "FC_r6", 256) };
    array.create_volume(NOW, &expiring("soon", 1)).unwrap();
    array.create_volume(NOW, &expiring("late", 5)).unwrap();
    array.create_volume(NOW, &expiring("used", 1)).unwrap();
    array.create_host(NOW, &crate::array::CreateHost::iscsi("h1", &[])).unwrap();
    let export = array.create_vlun(NOW, &crate::array::CreateVlun::host_sees("used", 1, "h1")).unwrap();
    array.advance(HOUR + Duration::from_secs(120));
    assert!(array.volume("soon").is_ok(), "the run at one o'clock was before its time");
    array.advance(2 * HOUR);
    assert!(array.volume("soon").is_err() && array.volume("late").is_ok() && array.volume("used").is_ok());
    array.remove_vlun(2 * HOUR, &export.address).unwrap();
    array.advance(3 * HOUR);
    assert!(array.volume("used").is_err());
}
