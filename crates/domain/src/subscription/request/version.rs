//! By which version of HTTP requests are made.

words! {
    /// By which version of HTTP requests are made.
    HttpVersion, UnknownHttpVersion "must be 1.1 or 2":
    /// A connection for each request at a time.
    #[default]
    Http11 = "1.1",
    /// One connection for many requests at a time, with a receiver that offers it; else as `1.1`.
    Http2 = "2",
}
