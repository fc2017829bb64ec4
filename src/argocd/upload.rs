//! One upload: metadata, then an archive in chunks. What is wrong with it is remembered and told at its end, because
//! repo-server never sees the answer to a call that ends while it still sends (`argocd-cmp.md` 1 and 4).

use sha2::{Digest as _, Sha256};

use super::messages::{AppStreamRequest, Metadata, Part};
use super::variables::Variables;

/// What repo-server has uploaded, its checksum compared.
pub struct Upload {
    /// The application's variables.
    pub variables: Variables,
    /// The application's folder in the archive, as it is named.
    pub folder: String,
    /// The compressed archive; empty where nobody wanted it.
    pub archive: Vec<u8>,
}

/// Why an upload is refused. The texts are the same for the same fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The order of the pieces is wrong.
    #[error("the upload breaks the plugin protocol: {0}")]
    Order(&'static str),
    /// It is not what was announced.
    #[error("the uploaded archive does not have the checksum that was announced for it")]
    Checksum,
    /// It is larger than the limit, in bytes.
    #[error("the uploaded archive has more than {0} bytes")]
    TooLarge(usize),
}

/// Takes the pieces of an upload.
pub struct Receiver {
    metadata: Option<Metadata>,
    digest: Sha256,
    archive: Vec<u8>,
    received: usize,
    limit: usize,
    keep: bool,
    fault: Option<Fault>,
}

impl Receiver {
    /// For an archive of at most so many bytes, which are kept where somebody wants them.
    pub fn new(limit: usize, keep: bool) -> Self {
        Self {
            metadata: None,
            digest: Sha256::new(),
            archive: Vec::new(),
            received: 0,
            limit,
            keep,
            fault: None,
        }
    }

    /// Takes the next piece. After a fault all further ones are passed over.
    pub fn take(&mut self, message: AppStreamRequest) {
        if self.fault.is_none() {
            self.fault = self.piece(message).err();
            if self.fault.is_some() {
                self.archive = Vec::new();
            }
        }
    }

    fn piece(&mut self, message: AppStreamRequest) -> Result<(), Fault> {
        match (message.part, &self.metadata) {
            (Some(Part::Metadata(metadata)), None) => {
                self.metadata = Some(metadata);
                Ok(())
            }
            (Some(Part::File(file)), Some(_)) => {
                self.received = self.received.saturating_add(file.chunk.len());
                if self.received > self.limit {
                    return Err(Fault::TooLarge(self.limit));
                }
                self.digest.update(&file.chunk);
                if self.keep {
                    self.archive.extend_from_slice(&file.chunk);
                }
                Ok(())
            }
            (Some(Part::File(_)), None) => Err(Fault::Order("it does not begin with metadata")),
            (Some(Part::Metadata(_)), Some(_)) => Err(Fault::Order("it holds metadata twice")),
            (None, _) => Err(Fault::Order("it holds an empty message")),
        }
    }

    /// The upload, when the client has said that it is complete.
    pub fn finish(self) -> Result<Upload, Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let Some(metadata) = self.metadata else {
            return Err(Fault::Order("it holds no metadata"));
        };
        if format!("{:x}", self.digest.finalize()) != metadata.checksum {
            return Err(Fault::Checksum);
        }
        Ok(Upload {
            variables: Variables::new(metadata.env),
            folder: metadata.app_rel_path,
            archive: self.archive,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::messages::File;
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn metadata(checksum: &str) -> AppStreamRequest {
        let metadata = Metadata {
            app_rel_path: "apps/a".to_owned(),
            checksum: checksum.to_owned(),
            size: -7,
            ..Metadata::default()
        };
        AppStreamRequest {
            part: Some(Part::Metadata(metadata)),
        }
    }

    fn chunk(bytes: &'static str) -> AppStreamRequest {
        let chunk = bytes.as_bytes().into();
        AppStreamRequest {
            part: Some(Part::File(File { chunk })),
        }
    }

    fn received(messages: Vec<AppStreamRequest>) -> Result<Upload, Fault> {
        let mut receiver = Receiver::new(3, true);
        for message in messages {
            receiver.take(message);
        }
        receiver.finish()
    }

    #[test]
    fn chunks_of_any_size_make_the_archive() {
        for chunks in [
            vec!["abc"],
            vec!["a", "b", "c"],
            vec!["", "ab", "", "c", ""],
        ] {
            let mut messages = vec![metadata(ABC)];
            messages.extend(chunks.into_iter().map(chunk));
            let upload = received(messages).ok().unwrap();
            assert_eq!(
                (upload.archive, &*upload.folder),
                (b"abc".to_vec(), "apps/a")
            );
        }
        assert!(received(vec![metadata(EMPTY)]).is_ok());
    }

    #[test]
    fn faults_are_told_at_the_end() {
        let nothing = AppStreamRequest { part: None };
        let upper = ABC.to_uppercase();
        let order = Fault::Order;
        for (messages, fault) in [
            (vec![], order("it holds no metadata")),
            (
                vec![chunk("abc"), metadata(ABC)],
                order("it does not begin with metadata"),
            ),
            (
                vec![metadata(ABC), metadata(ABC)],
                order("it holds metadata twice"),
            ),
            (
                vec![metadata(ABC), nothing, chunk("abc")],
                order("it holds an empty message"),
            ),
            (vec![metadata(ABC), chunk("abd")], Fault::Checksum),
            (vec![metadata(&upper), chunk("abc")], Fault::Checksum),
            (
                vec![metadata(ABC), chunk("ab"), chunk("cd"), chunk("e")],
                Fault::TooLarge(3),
            ),
        ] {
            assert_eq!(received(messages).err(), Some(fault));
        }
    }
}
