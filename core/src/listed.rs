//! Lists of things that are counted: each number has a name in reports and a meaning, from one declaration.
//!
//! In go variants, each with its documentation and its name; out come the enum, its numbers from zero, and both texts. What can
//! never happen: a variant without a name, or two orders of one list.

/// Declares an enum whose variants number counters.
macro_rules! listed {
    (
        $(#[doc = $about:literal])+ $List:ident;
        $($(#[doc = $doc:literal])+ $name:ident = $metric:literal,)+
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $List {
            $($(#[doc = $doc])+ $name,)+
        }

        impl $List {
            /// All of them, in the order of their numbers.
            pub const ALL: [Self; [$($metric),+].len()] = [$(Self::$name),+];

            /// Its name in reports, and its metric's.
            pub const fn metric(self) -> &'static str {
                match self { $(Self::$name => $metric,)+ }
            }

            /// What it means, in a sentence or two.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+),)+ }
            }
        }

        impl core::fmt::Display for $List {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.meaning().trim_start())
            }
        }
    };
}

pub(crate) use listed;
