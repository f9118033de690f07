//! The running agent between the kernel and the store.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`start`] | what an agent finds in the kernel and in the store when it starts, and what it makes of it |
//! | [`keep`] | each epoch out of the kernel and into the store, once |
//! | [`end`] | the way out: detached, drained, removed |
//! | [`fold`] | kept epochs into hours and days, beside the counting |
//! | [`playback`] | frames of captures, and made ones, through the program |
//! | [`record`] | the same into the store, each once |

pub mod end;
pub mod fold;
pub mod keep;
pub mod playback;
pub mod record;
pub mod start;

pub use end::{Retired, retire};
pub use fold::{FoldError, Folder, Folding, fold, fold_only};
pub use keep::{Counters, Generation, Keeping, SharedStore, Unkept, lock, now_ns};
pub use playback::{Playback, PlaybackError};
pub use record::{Coverage, Recorded, Recording};
pub use start::{AgentError, Elsewhere, Start, Started, adopt};
