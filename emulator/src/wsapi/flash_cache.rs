//! The flash cache: made by `POST` on the root of the interface, shown and deleted at `/flashcache`.

use axum::extract::State;

use super::{
    Api,
    answer::{Answer, created, empty, object},
    body::Members,
    resources::Resources,
};
use crate::array::ArrayError;

pub(super) fn resources() -> Resources {
    Resources::new().post("", create).get("/flashcache", show).delete("/flashcache", remove)
}

async fn create(State(api): State<Api>, body: Members) -> Answer {
    let cache = body.only(&["flashCache"])?.object("flashCache")?;
    let cache = cache.ok_or_else(|| ArrayError::missing_required().with_ref("flashCache"))?;
    let cache = cache.only(&["sizeGiB", "mode", "RAIDType"])?.decode()?;
    api.change(|array, now| array.create_flash_cache(now, &cache))?;
    Ok(created("flashcache", ""))
}

async fn show(State(api): State<Api>) -> Answer {
    Ok(object(&api.read(|array| array.flash_cache_row())?))
}

async fn remove(State(api): State<Api>) -> Answer {
    api.change(|array, now| array.remove_flash_cache(now))?;
    Ok(empty())
}
