//! The numbered pages of the lists that CheckFlow has.

use app::Page;

use crate::input::Input;

/// Rows on a page when the caller does not say.
pub(crate) const PAGE_SIZE_DEFAULT: u32 = 3;
/// Most rows on a page.
pub(crate) const PAGE_SIZE_MAX: u32 = 10;
/// Last page that can be asked for; nobody reads so far.
const PAGE_NUMBER_MAX: u32 = 1_000_000;

impl Input {
    /// `pageSize` and `pageNumber`.
    ///
    /// What CheckFlow does with a page that is too large is not on record. Here it is refused:
    /// whoever asks for 100 and gets 10 takes the page for the last one, and misses the rest.
    pub(crate) fn page(&mut self) -> Page {
        let size = self
            .number_in("pageSize", 1, PAGE_SIZE_MAX)
            .unwrap_or(PAGE_SIZE_DEFAULT);
        let number = self
            .number_in("pageNumber", 1, PAGE_NUMBER_MAX)
            .unwrap_or(1);
        Page { number, size }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_three_rows_and_at_most_ten() {
        let page = |query: &str| {
            let mut input = Input::of_query(query).unwrap();
            let page = input.page();
            input.done().is_ok().then_some((page.number, page.size))
        };
        assert_eq!(page(""), Some((1, 3)));
        assert_eq!(page("pageSize=10&pageNumber=7"), Some((7, 10)));
        for bad in [
            "pageSize=11",
            "pageSize=0",
            "pageSize=-1",
            "pageNumber=0",
            "pageNumber=1000001",
            "pageSize=3.5",
        ] {
            assert_eq!(page(bad), None, "{bad}");
        }
    }
}
