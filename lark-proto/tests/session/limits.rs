//! What a caller allows is kept to, however absurd.
