//! Ranks with ties, and neighbours that cannot be told apart.
