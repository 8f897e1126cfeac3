//! The client against an SSH server that answers by script.
