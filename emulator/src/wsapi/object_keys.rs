//! `/volumes/<name>/objectKeyValues`: keys and values kept with a volume.

use axum::extract::State;

use super::{
    Api,
    answer::{Answer, collection, created, empty, object, row_as_json, rows_as_json},
    body::Members,
    extract::Segments,
    resources::Resources,
};

pub(super) fn resources() -> Resources {
    Resources::new()
        .get("/volumes/{name}/objectKeyValues", list)
        .post("/volumes/{name}/objectKeyValues", create)
        .get("/volumes/{name}/objectKeyValues/{key}", one)
        .put("/volumes/{name}/objectKeyValues/{key}", modify)
        .delete("/volumes/{name}/objectKeyValues/{key}", remove)
}

async fn list(State(api): State<Api>, Segments(volume): Segments<String>) -> Answer {
    Ok(collection(&rows_as_json(&api.read(|array| array.object_key_rows(&volume))?)?))
}

async fn one(State(api): State<Api>, Segments((volume, key)): Segments<(String, String)>) -> Answer {
    Ok(object(&row_as_json(&api.read(|array| array.object_key_row(&volume, &key))?)?))
}

async fn create(State(api): State<Api>, Segments(volume): Segments<String>, body: Members) -> Answer {
    let body = body.only(&["key", "value"])?.decode()?;
    let key = api.change(|array, now| array.create_object_key(now, &volume, &body))?;
    Ok(created(&format!("volumes/{volume}/objectKeyValues"), key.as_str()))
}

async fn modify(State(api): State<Api>, Segments((volume, key)): Segments<(String, String)>, body: Members) -> Answer {
    let body = body.only(&["value"])?.decode()?;
    api.change(|array, now| array.modify_object_key(now, &volume, &key, &body))?;
    Ok(empty())
}

async fn remove(State(api): State<Api>, Segments((volume, key)): Segments<(String, String)>) -> Answer {
    api.change(|array, now| array.remove_object_key(now, &volume, &key))?;
    Ok(empty())
}
