//! What every metadata store must do, run against each of them.
