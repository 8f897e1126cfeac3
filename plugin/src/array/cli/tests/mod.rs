//! The client against an SSH server that answers by script.

mod commands;
mod login;
mod scripted_server;
