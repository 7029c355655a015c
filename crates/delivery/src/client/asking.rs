//! One request of which nothing but the head of the answer is wanted, by whichever HTTP its
//! deliveries go by.

use domain::{RequestStyle, Secret, bearer_authorization};
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::Full;
use store::Destination;

use super::{
    Bytes, Client, Failure, Pool, Request, failure,
    own::{Own, Use},
    request, time,
};
use crate::styled::secret_value;

impl Client {
    /// Makes a request without a body, as `style` wishes, and answers the head of its answer. All of it, fetching a token
    /// included, is within the one time of a request. The body is not read, which ends the connection.
    pub(crate) async fn ask_as(
        &self,
        to: &Destination,
        style: Option<&RequestStyle>,
        method: Method,
        headers: HeaderMap,
    ) -> Result<(StatusCode, HeaderMap), Failure> {
        let exchange = self.head(to, style, method, headers);
        let ended = time::timeout(self.limits.request_timeout, exchange).await;
        ended.unwrap_or_else(|_| Err(self.timed_out()))
    }

    async fn head(
        &self,
        to: &Destination,
        style: Option<&RequestStyle>,
        method: Method,
        mut headers: HeaderMap,
    ) -> Result<(StatusCode, HeaderMap), Failure> {
        let own = match style {
            None => Own::Http1(Box::new(self.pool())),
            Some(style) => {
                if let Some(token) = self.token(to, style).await? {
                    let value: Secret = bearer_authorization(token.reveal());
                    headers.insert(header::AUTHORIZATION, secret_value(&value)?);
                }
                self.own_pool(to, style, Use::Deliveries)?
            }
        };
        let mut request = request(to.target.as_str(), headers, Bytes::new())?;
        *request.method_mut() = method;
        match own {
            Own::Http1(pool) => head_of(&pool, request).await,
            Own::Http2(streams) => streams.head_of(request).await,
        }
    }
}

/// The head of an answer by HTTP/1.1.
pub(super) async fn head_of(
    pool: &Pool,
    request: Request<Bytes>,
) -> Result<(StatusCode, HeaderMap), Failure> {
    let answer = pool.request(request.map(Full::new)).await;
    let (head, _) = answer
        .map_err(|error| failure::of_request(&error))?
        .into_parts();
    Ok((head.status, head.headers))
}
