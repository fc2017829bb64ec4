//! An end for every answer: the SDK alone reads a body for as long as it comes.

use std::error::Error as StdError;
use std::pin::Pin;
use std::task::{Context, Poll};

use aws_sdk_kms::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_kms::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_types::body::SdkBody;
use hyper::body::{Body, Bytes, Frame};

/// The longest answer that is read. The longest right one is a batch of twenty secrets.
const LONGEST: usize = 16 << 20;

type BoxError = Box<dyn StdError + Send + Sync>;

/// Breaks off answers that are too long, as an interceptor of a service's client.
#[derive(Debug)]
pub struct Bounded;

impl Intercept for Bounded {
    fn name(&self) -> &'static str {
        "Bounded"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response_mut().body_mut();
        let whole = std::mem::replace(body, SdkBody::taken());
        let left = LONGEST;
        *body = SdkBody::from_body_1_x(Limited { whole, left });
        Ok(())
    }
}

/// A body that fails when it goes on for too long.
struct Limited {
    whole: SdkBody,
    left: usize,
}

impl Body for Limited {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.whole).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let length = frame.data_ref().map_or(0, Bytes::len);
            match self.left.checked_sub(length) {
                Some(left) => self.left = left,
                None => return Poll::Ready(Some(Err("the answer is too long".into()))),
            }
        }
        polled
    }
}
