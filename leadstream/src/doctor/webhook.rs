//! Checks the public webhook as Meta uses it: the challenge of its set-up, and signed posts.

use std::error::Error as _;
use std::time::Duration;

use leadstream_ingest::config::CloudApiArgs;
use leadstream_ingest::provider::CloudApi;
use leadstream_ingest::signature::SIGNATURE_HEADER;
use rand::Rng as _;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};

use super::finding::Finding;
use super::setting;

const AREA: &str = "webhook";
const TIMEOUT: Duration = Duration::from_secs(10);
/// A webhook without items: ingest writes nothing.
const EMPTY: &str = r#"{"object":"whatsapp_business_account","entry":[]}"#;

/// What the webhook answered: a status and whether it repeated the challenge, or why there is none.
type Answer = Result<(StatusCode, bool), String>;

/// Checks the webhook at `url`.
pub(super) async fn check(url: Option<&str>, args: &CloudApiArgs) -> Vec<Finding> {
    let Some(url) = url else {
        return vec![Finding::skipped(AREA, "not checked: add --webhook-url")];
    };
    let Ok(url) = url.parse::<Url>() else {
        let remedy = "write the URL that the Meta app has, such as https://leads.example.com/webhooks/whatsapp";
        return vec![Finding::fault(AREA, "--webhook-url is no URL", remedy)];
    };
    let cloud_api = match args.provider() {
        Ok(Some(cloud_api)) => cloud_api,
        Ok(None) => {
            let told = "not checked: META_APP_SECRET is not set";
            return vec![Finding::skipped(AREA, told)];
        }
        Err(error) => return vec![setting(AREA, &error)],
    };
    let client = Client::builder()
        .timeout(TIMEOUT)
        .redirect(Policy::none())
        .build();
    let client = match client {
        Ok(client) => client,
        Err(error) => return vec![Finding::fault(AREA, error.to_string(), "run it again")],
    };
    let challenge = challenge(&client, &url, &cloud_api).await;
    let Ok((StatusCode::OK, true)) = challenge else {
        return vec![judge_challenge(&challenge)];
    };
    let signature = cloud_api.secrets.sign(EMPTY.as_bytes());
    let signed = post(&client, &url, signature).await;
    let unsigned = post(&client, &url, None).await;
    vec![judge_posts(&signed, &unsigned)]
}

async fn challenge(client: &Client, url: &Url, cloud_api: &CloudApi) -> Answer {
    let challenge = rand::rng().random::<u32>().to_string();
    let mut url = url.clone();
    url.query_pairs_mut()
        .append_pair("hub.mode", "subscribe")
        .append_pair("hub.verify_token", cloud_api.verify_token.expose())
        .append_pair("hub.challenge", &challenge);
    let answer = client
        .get(url)
        .send()
        .await
        .map_err(|error| reason(&error))?;
    let status = answer.status();
    let text = answer.text().await.map_err(|error| reason(&error))?;
    Ok((status, text == challenge))
}

async fn post(client: &Client, url: &Url, signature: Option<String>) -> Answer {
    let mut request = client
        .post(url.clone())
        .header("content-type", "application/json")
        .body(EMPTY);
    if let Some(signature) = signature {
        request = request.header(SIGNATURE_HEADER, signature);
    }
    let answer = request.send().await.map_err(|error| reason(&error))?;
    Ok((answer.status(), false))
}

/// Returns the innermost cause, without the URL, which holds the token.
fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    match (error.is_timeout(), error.source()) {
        (true, _) => format!("no answer within {} s", TIMEOUT.as_secs()),
        (false, Some(_)) => cause.to_string(),
        (false, None) => "the request failed".to_owned(),
    }
}

fn judge_challenge(answer: &Answer) -> Finding {
    let (told, remedy) = match answer {
        Err(reason) => (
            format!("it cannot be reached: {reason}"),
            "check DNS, the certificate, and that the load balancer forwards to INGEST_ADDRESS",
        ),
        Ok((StatusCode::OK, _)) => (
            "something else than ingest answers there".to_owned(),
            "let the load balancer forward the path to INGEST_ADDRESS",
        ),
        Ok((StatusCode::FORBIDDEN, _)) => (
            "ingest has another META_VERIFY_TOKEN".to_owned(),
            "give ingest, this command and the Meta app the same token",
        ),
        Ok((StatusCode::NOT_FOUND, _)) => (
            "nothing answers at this path (404)".to_owned(),
            "use the path /webhooks/whatsapp, and let the load balancer keep it",
        ),
        Ok((status, _)) => (
            format!("it answers {} to the set-up's challenge", status.as_u16()),
            "look at ingest's log and readiness; Meta follows no redirects",
        ),
    };
    Finding::fault(AREA, told, remedy)
}

fn judge_posts(signed: &Answer, unsigned: &Answer) -> Finding {
    let secret = "give ingest and this command the secret of the Meta app";
    match (signed, unsigned) {
        (Err(reason), _) | (_, Err(reason)) => Finding::fault(
            AREA,
            format!("a post failed: {reason}"),
            "run it again, and look at ingest's log",
        ),
        (_, Ok((status, _))) if status.is_success() => Finding::fault(
            AREA,
            "it accepts posts without a signature, so anybody can write leads",
            "let the load balancer pass requests to ingest as they are",
        ),
        (Ok((status, _)), _) if status.is_success() => Finding::ok(
            AREA,
            "it answers Meta's challenge, and takes signed posts only",
        ),
        (Ok((StatusCode::UNAUTHORIZED, _)), _) => {
            Finding::fault(AREA, "ingest has another META_APP_SECRET", secret)
        }
        (Ok((status, _)), _) => Finding::fault(
            AREA,
            format!("it answers {} to a signed post", status.as_u16()),
            "look at ingest's readiness: it answers 503 while Kafka or the registry is unavailable",
        ),
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::{Answer, judge_challenge, judge_posts};
    use crate::doctor::finding::State;

    fn answer(status: u16) -> Answer {
        Ok((StatusCode::from_u16(status).unwrap(), false))
    }

    #[test]
    fn each_answer_to_the_challenge_has_its_cause() {
        for (answer, told) in [
            (
                Err("connection refused".to_owned()),
                "cannot be reached: connection refused",
            ),
            (answer(200), "something else than ingest"),
            (answer(403), "another META_VERIFY_TOKEN"),
            (answer(404), "nothing answers at this path"),
            (answer(301), "answers 301"),
        ] {
            let finding = judge_challenge(&answer);
            assert!(finding.message.contains(told), "{finding:?}");
        }
    }

    #[test]
    fn a_webhook_takes_signed_posts_only() {
        for (signed, unsigned, state, told) in [
            (200, 401, State::Ok, "takes signed posts only"),
            (200, 200, State::Fault, "without a signature"),
            (401, 401, State::Fault, "another META_APP_SECRET"),
            (503, 503, State::Fault, "answers 503"),
        ] {
            let finding = judge_posts(&answer(signed), &answer(unsigned));
            assert_eq!(finding.state, state, "{finding:?}");
            assert!(finding.message.contains(told), "{finding:?}");
        }
    }
}
