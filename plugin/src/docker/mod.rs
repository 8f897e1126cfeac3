//! The Docker volume plugin API on a unix socket.
//!
//! [`api`] speaks HTTP, [`operations`] keeps what changes something alive when its caller goes away, [`driver`] is
//! the volume logic behind both, [`socket`] is the place dockerd looks at.

pub mod api;
mod body;
pub mod driver;
pub mod operations;
mod reply;
mod request;
pub mod socket;

#[cfg(test)]
mod tests;
