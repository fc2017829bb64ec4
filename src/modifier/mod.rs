//! Modifiers: value-to-value functions behind a table of names (`avp-compat.md` section 8).
