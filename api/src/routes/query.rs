//! Reads paths and queries, with errors that name the parameter.

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use leadstream_schemas::Account;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use crate::problem::{Place, Problem};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LeadQuery {
    /// The account in which to look for the lead, if ACCOUNTS groups numbers. The default is the
    /// account of a lead id, or else the default account. The response is 404 if ACCOUNTS has no such
    /// account, or if the token cannot reach it.
    #[serde(default)]
    #[param(value_type = String)]
    pub(super) account: Account,
}

/// The variable segments of a path. One that is no UTF-8 names nothing.
pub(super) struct PathSegments<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathSegments<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(segments)| Self(segments))
            .map_err(|_| Problem::no_route())
    }
}

/// The parameters of a query.
pub(super) struct QueryParameters<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryParameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::from_request_parts(parts, state).await;
        query
            .map(|Query(parameters)| Self(parameters))
            .map_err(|rejection| invalid(&rejection))
    }
}

/// Returns the problem of a query. The reason begins with the parameter's name, or says which one is
/// unknown.
fn invalid(rejection: &QueryRejection) -> Problem {
    let text = rejection.body_text();
    let reason = text.split_once("string: ").map_or(&*text, |it| it.1);
    let name = match reason.split_once(": ") {
        Some((name, _)) => Some(name),
        None => reason.split('`').nth(1),
    };
    let is_name = |name: &&str| name.bytes().all(|it| it.is_ascii_lowercase() || it == b'_');
    let place = name.filter(is_name).map_or(Place::None, Place::parameter);
    Problem::invalid_request(place, reason)
}

#[cfg(test)]
mod tests {
    use axum::http::Uri;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Parameters {
        #[expect(dead_code, reason = "only read")]
        wait: Option<u64>,
    }

    #[test]
    fn an_error_names_the_parameter() {
        for (query, expected) in [
            ("wait=soon", Some("wait")),
            ("wait=-1", Some("wait")),
            ("wait=", Some("wait")),
            ("wait=1&wait=2", Some("wait")),
            ("weight=1", Some("weight")),
        ] {
            let uri: Uri = format!("http://a/?{query}").parse().unwrap();
            let rejection = Query::<Parameters>::try_from_uri(&uri).unwrap_err();
            let problem = serde_json::to_value(invalid(&rejection)).unwrap();
            let named = problem["errors"][0]["parameter"].as_str();
            assert_eq!(named, expected, "{query}: {problem}");
        }
    }
}
