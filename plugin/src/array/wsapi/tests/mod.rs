//! The client against an array that answers by script.

mod faults;
mod requests;
mod scripted_array;
mod secrets;
mod sessions;
mod tls;
