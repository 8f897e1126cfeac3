//! The API over a real unix socket, in front of a volume logic that only counts.

mod calls;
mod client;
mod counting_driver;
mod hostile;
