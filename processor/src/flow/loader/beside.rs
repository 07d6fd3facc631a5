//! Compiles what a prompt shows beside its text: an image and a link button.

use leadstream_schemas::Url;
use serde_saphyr::Spanned;

use super::check::Outline;
use super::graph::Graph;
use super::phrase::{Scope, check_languages, ensure_length, phrase, template};
use super::{Fault, Faults, ensure, fault};
use crate::flow::document::{LocalizedText, StepDocument};
use crate::flow::prompt::{MAX_URL, Phrase, Template};
use crate::flow::{Asks, Beside, FlowStep, Link, Role};

/// WhatsApp's limit for the title of a link button.
const MAX_LINK_TITLE: usize = 20;
/// Endings of files that WhatsApp refuses as images.
const OTHER_FORMATS: [&str; 14] = [
    "webp", "gif", "svg", "avif", "heic", "heif", "bmp", "tif", "tiff", "ico", "pdf", "mp4", "mov",
    "webm",
];

pub(super) fn compile(step: &StepDocument, scope: &Scope<'_>) -> Result<Beside, Fault> {
    let image = step.image.as_ref().map(|image| -> Result<Phrase, Fault> {
        let url = url(image, scope)?;
        let is_fixed = url.0.iter().all(|it| it.fields().next().is_none());
        ensure(is_fixed, image, || {
            "the address of an image is the same for every lead; remove the placeholder".into()
        })?;
        Ok(url)
    });
    let link = step.link.as_ref().map(|link| -> Result<Link, Fault> {
        let title = phrase(&link.title, scope)?;
        ensure_length(&title, MAX_LINK_TITLE, &link.title, "a title on a button")?;
        let url = url(&link.url, scope)?;
        Ok(Link { title, url })
    });
    let beside = Beside {
        image: image.transpose()?,
        link: link.transpose()?,
    };
    for (at, what) in [
        (step.image.as_ref(), "image"),
        (step.link.as_ref().map(|link| &link.url), "link"),
    ] {
        if let (Some(at), None) = (at, &step.prompt) {
            return Err(fault(
                at,
                format!("the {what} stands beside a text; add a `prompt`"),
            ));
        }
    }
    Ok(beside)
}

/// Compiles an address: one for all languages, or one for each.
fn url(written: &Spanned<LocalizedText>, scope: &Scope<'_>) -> Result<Phrase, Fault> {
    let templates = match &written.value {
        LocalizedText::One(text) => vec![url_template(written, text, scope)?],
        LocalizedText::Each(each) => {
            let tags = each.iter().map(|(tag, _)| tag);
            check_languages(written, &tags, scope.languages)?;
            let ordered = scope.languages.iter();
            ordered
                .filter_map(|language| each.iter().find(|(tag, _)| tag.value == *language))
                .map(|(_, text)| url_template(text, &text.value, scope))
                .collect::<Result<_, Fault>>()?
        }
    };
    Ok(Phrase(templates))
}

fn url_template<T>(at: &Spanned<T>, text: &str, scope: &Scope<'_>) -> Result<Template, Fault> {
    let template = template(at, text, None, scope)?;
    let is_filled = template.fields().next().is_some();
    // A value elsewhere could lead to another host or folder.
    ensure(
        !is_filled || template.beginning().contains(['?', '#']),
        at,
        || {
            "a placeholder stands after the `?` of an address, as in `https://example.com/?name={name}`; move it there".into()
        },
    )?;
    let example = template.render_url(&serde_json::Map::new());
    let is_safe = Url::parse(&example).is_ok_and(|url| {
        url.scheme() == "https"
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
    });
    let is_plain = text.trim().bytes().all(|byte| byte.is_ascii_graphic());
    ensure(is_safe && is_plain, at, || {
        "this is no address that WhatsApp opens; write one such as `https://example.com/offer`, with other letters percent-encoded".into()
    })?;
    ensure(template.longest_url() <= MAX_URL, at, || {
        format!(
            "an address has up to {MAX_URL} characters, and each placeholder counts 200; shorten it"
        )
    })?;
    Ok(template)
}

/// Refuses an image of a format that WhatsApp does not show.
fn check_format(outline: &Outline<'_>, step: &FlowStep, is_lenient: bool) -> Result<(), Fault> {
    let (Some(written), Some(image)) = (&outline.step.image, &step.beside.image) else {
        return Ok(());
    };
    let other = image.0.iter().find_map(|address| {
        let address = Url::parse(&address.render_url(&serde_json::Map::new())).ok()?;
        let (_, ending) = address.path().rsplit_once('.')?;
        let ending = ending.to_lowercase();
        OTHER_FORMATS.contains(&ending.as_str()).then_some(ending)
    });
    match other.filter(|_| !is_lenient) {
        Some(ending) => Err(fault(
            written,
            format!(
                "WhatsApp shows images as JPEG or PNG only, and this is `.{ending}`; convert it"
            ),
        )),
        None => Ok(()),
    }
}

/// Checks that what one message shows fits together, with the steps before it in the same message.
pub(super) fn check(
    steps: &[FlowStep],
    outlines: &[Outline<'_>],
    graph: &Graph<'_>,
    faults: &mut Faults,
) {
    let of = |state: &str| steps.iter().find(|step| step.state == state);
    let has_image =
        |state: &str| usize::from(of(state).is_some_and(|it| it.beside.image.is_some()));
    let has_link = |state: &str| usize::from(of(state).is_some_and(|it| it.beside.link.is_some()));
    for (outline, step) in outlines.iter().zip(steps) {
        faults.collect(check_format(outline, step, faults.is_lenient));
        let state = step.state.as_str();
        let images = has_image(state) + graph.most_before(state, &has_image);
        let links = has_link(state) + graph.most_before(state, &has_link);
        let asks = match &step.role {
            Role::Ask(question) => Some(&question.asks),
            _ => None,
        };
        let reason = match asks {
            _ if images > 1 => {
                "shows several images in one message, with the steps before it, and WhatsApp shows one; remove the others"
            }
            _ if links > 1 => {
                "shows several links in one message, with the steps before it, and WhatsApp shows one; remove the others"
            }
            Some(Asks::List { .. }) if images > 0 => {
                "asks by a list, and WhatsApp shows no image above one; offer up to 3 options, or remove the image"
            }
            Some(Asks::Buttons(_) | Asks::List { .. } | Asks::Form { .. }) if links > 0 => {
                "asks by buttons, a list or a form, and WhatsApp shows no link button beside them; write the address into the prompt, or expect a text"
            }
            _ => continue,
        };
        faults
            .errors
            .push(fault(outline.state, format!("`{state}` {reason}")));
    }
}
