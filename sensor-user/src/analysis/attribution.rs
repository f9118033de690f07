//! Who makes an increase: shares, few prefixes, few sensors.
