//! Declares a part of the configuration in one place: key, type, default and explanation.
//!
//! The explanation is the doc comment, and what `octick config example` prints.

/// One key, as `octick config example` shows it.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    /// Lines of explanation, each with the space that a doc comment begins with.
    pub(super) doc: &'static [&'static str],
}

/// A struct whose fields are keys of the file. `= value` gives the default; the entries of a list have none, so each
/// of their keys must be given, unless it is an `Option`.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        pub struct $Name:ident { $($(#[doc = $doc:literal])+ $key:ident: $type:ty = $default:expr,)+ }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $Name { $($(#[doc = $doc])+ pub $key: $type,)+ }

        impl Default for $Name {
            fn default() -> Self {
                Self { $($key: $default,)+ }
            }
        }

        section!(@keys $Name [$($about)+] $([$key $($doc)+])+);
    };
    (
        $(#[doc = $about:literal])+
        pub struct $Name:ident { $($(#[doc = $doc:literal])+ $key:ident: $type:ty,)+ }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $Name { $($(#[doc = $doc])+ pub $key: $type,)+ }

        section!(@keys $Name [$($about)+] $([$key $($doc)+])+);
    };
    (@keys $Name:ident [$($about:literal)+] $([$key:ident $($doc:literal)+])+) => {
        impl $Name {
            pub(super) const ABOUT: &'static [&'static str] = &[$($about),+];
            pub(super) const KEYS: &'static [$crate::config::section::Key] =
                &[$($crate::config::section::Key { name: stringify!($key), doc: &[$($doc),+] }),+];
        }
    };
}
pub(super) use section;
