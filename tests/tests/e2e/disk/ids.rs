//! Binds whose files seem to be somebody else's.
