//! What a control of a document is: its type with the settings of that.

use super::{ControlDocument, pattern, read::Reader};
use crate::{
    ControlKind, ControlType, FILES_MAX, LINK_CHARS_MAX, OPTIONS_MAX,
    control::{has_control_characters, is_website},
    name,
};

/// Longest text of a Text control, in characters.
const TEXT_CHARS_MAX: usize = 20_000;
/// Longest option of a Drop Down or Multi Choice, in characters.
const OPTION_CHARS_MAX: usize = 250;
/// Files a File Upload takes when its author does not say.
const FILES_DEFAULT: u32 = 10;

impl Reader<'_> {
    /// A setting that the type does not have is a mistake that should not pass unseen.
    pub(super) fn settings_fit(&mut self, at: &str, document: &ControlDocument, kind: ControlType) {
        use ControlType::{
            Date, DropDown, File, FileUpload, Image, LongText, Members, MultiChoice, ShortText,
            Text,
        };
        let settings: [(&str, bool, &[ControlType]); 8] = [
            ("text", document.text.is_some(), &[Text]),
            (
                "pattern",
                document.pattern.is_some(),
                &[ShortText, LongText],
            ),
            (
                "options",
                document.options.is_some(),
                &[DropDown, MultiChoice],
            ),
            ("withTime", document.with_time.is_some(), &[Date]),
            ("multiple", document.multiple.is_some(), &[Members]),
            ("url", document.url.is_some(), &[File, Image]),
            ("minFiles", document.min_files.is_some(), &[FileUpload]),
            ("maxFiles", document.max_files.is_some(), &[FileUpload]),
        ];
        for (setting, given, fits) in settings {
            if given && !fits.contains(&kind) {
                let fits: Vec<&str> = fits.iter().map(|kind| kind.word()).collect();
                let message = format!("belongs to {}, not to {kind}", fits.join(" and "));
                self.wrong(&format!("{at}.{setting}"), message);
            }
        }
    }

    pub(super) fn kind(
        &mut self,
        at: &str,
        document: &ControlDocument,
        kind: ControlType,
    ) -> ControlKind {
        match kind {
            ControlType::Text => ControlKind::Text {
                text: self.text(at, document),
            },
            ControlType::ShortText => ControlKind::ShortText {
                pattern: pattern(document),
            },
            ControlType::LongText => ControlKind::LongText {
                pattern: pattern(document),
            },
            ControlType::DropDown => ControlKind::DropDown {
                options: self.options(at, document),
            },
            ControlType::MultiChoice => ControlKind::MultiChoice {
                options: self.options(at, document),
            },
            ControlType::Date => ControlKind::Date {
                with_time: document.with_time,
            },
            ControlType::Members => ControlKind::Members {
                multiple: document.multiple.unwrap_or(false),
            },
            ControlType::File => ControlKind::File {
                url: self.url(at, document),
            },
            ControlType::Image => ControlKind::Image {
                url: self.url(at, document),
            },
            ControlType::Email => ControlKind::Email,
            ControlType::Website => ControlKind::Website,
            ControlType::FileUpload => self.files(at, document),
        }
    }

    fn text(&mut self, at: &str, document: &ControlDocument) -> String {
        let text = document.text.clone().unwrap_or_default();
        if text.chars().count() > TEXT_CHARS_MAX {
            let message = format!("must be at most {TEXT_CHARS_MAX} characters long");
            self.wrong(&format!("{at}.text"), message);
        }
        if has_control_characters(&text) {
            let message = "must be text without control characters";
            self.wrong(&format!("{at}.text"), message.to_owned());
        }
        text
    }

    fn url(&mut self, at: &str, document: &ControlDocument) -> String {
        let url = document.url.as_deref().unwrap_or_default().trim();
        if url.chars().count() > LINK_CHARS_MAX || !is_website(url) {
            let message = format!(
                "must be a web address such as https://example.com/plan.png, of at most \
                 {LINK_CHARS_MAX} characters"
            );
            self.wrong(&format!("{at}.url"), message);
        }
        url.to_owned()
    }

    fn options(&mut self, at: &str, document: &ControlDocument) -> Vec<String> {
        let at = format!("{at}.options");
        let given = document.options.as_deref().unwrap_or_default();
        if given.is_empty() || given.len() > OPTIONS_MAX {
            self.wrong(&at, format!("must hold 1 to {OPTIONS_MAX} options"));
            return Vec::new();
        }
        let mut options: Vec<String> = Vec::with_capacity(given.len());
        for (index, text) in given.iter().enumerate() {
            match name(text, OPTION_CHARS_MAX) {
                Ok(option) if options.contains(&option) => {
                    self.wrong(
                        &format!("{at}[{index}]"),
                        format!("{option:?} is there twice"),
                    );
                }
                Ok(option) => options.push(option),
                Err(error) => self.wrong(&format!("{at}[{index}]"), error.to_string()),
            }
        }
        options
    }

    fn files(&mut self, at: &str, document: &ControlDocument) -> ControlKind {
        let min_files = document.min_files.unwrap_or(0);
        let max_files = document.max_files.unwrap_or(FILES_DEFAULT.max(min_files));
        if !(1..=FILES_MAX).contains(&max_files) {
            self.wrong(
                &format!("{at}.maxFiles"),
                format!("must be from 1 to {FILES_MAX}"),
            );
        }
        if min_files > max_files {
            let message = format!("must be at most maxFiles, which is {max_files}");
            self.wrong(&format!("{at}.minFiles"), message);
        }
        ControlKind::FileUpload {
            min_files,
            max_files,
        }
    }
}
