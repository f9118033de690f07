//! What chance does: false hits of a tool's mark, scans and attacks too slow to be seen.
