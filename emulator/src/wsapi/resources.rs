//! The resources of the interface: a router that knows what is in it, so that a list of them can be held against it.

use axum::{
    Router,
    handler::Handler,
    routing::{MethodFilter, on},
};

use super::Api;

/// Base of all resources but `/api`.
const BASE: &str = "/api/v1";

/// A method on a resource; the path is without `/api/v1`, variable parts are in braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
}

/// Routes with their handlers.
#[derive(Default)]
pub(crate) struct Resources {
    router: Router<Api>,
    known: Vec<Route>,
}

/// Writes a function of [`Resources`] for each method.
macro_rules! methods {
    ($($name:ident = $filter:ident;)*) => {$(
        pub(super) fn $name<H, T>(self, path: &'static str, handler: H) -> Self
        where
            H: Handler<T, Api>,
            T: 'static,
        {
            self.on(MethodFilter::$filter, stringify!($filter), path, handler)
        }
    )*};
}

impl Resources {
    pub(super) fn new() -> Self {
        Self::default()
    }

    methods! {
        get = GET;
        post = POST;
        put = PUT;
        delete = DELETE;
    }

    fn on<H, T>(mut self, filter: MethodFilter, method: &'static str, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, Api>,
        T: 'static,
    {
        self.router = self.router.route(&format!("{BASE}{path}"), on(filter, handler));
        self.known.push(Route { method, path });
        self
    }

    pub(super) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.known.extend(other.known);
        self
    }

    /// The router, and what it knows.
    pub(super) fn into_parts(self) -> (Router<Api>, Vec<Route>) {
        (self.router, self.known)
    }
}
