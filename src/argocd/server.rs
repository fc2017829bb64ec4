//! The socket that repo-server finds: bound when everything is ready, each connection accepted at once, and closed only
//! when nobody needs it any more (`argocd-cmp.md` 3.1, 3.5).

use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::authority::Connection;
use super::service::Service;

/// What a Linux socket's path may have.
const LONGEST_PATH: usize = 107;
/// repo-server sends small messages: without large windows each would wait for the one before.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;

/// A bound socket.
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
}

impl Server {
    /// Binds the socket, in place of one that an earlier server has left.
    pub fn bind(path: &Path) -> io::Result<Self> {
        if path.as_os_str().len() > LONGEST_PATH {
            let reason = format!("a socket's path has at most {LONGEST_PATH} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        match path.symlink_metadata() {
            Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path)?,
            Ok(_) => return Err(io::Error::other("something that is no socket lies there")),
            Err(_) => {}
        }
        Ok(Self {
            listener: UnixListener::bind(path)?,
            path: path.to_owned(),
        })
    }

    /// Serves until `stop` resolves and, after that, until the last connection has ended, at most for `grace`. The
    /// socket's name goes first; connections are never told to go away, because a render takes several calls on one.
    pub async fn serve(
        self,
        service: Arc<Service>,
        stop: impl Future<Output = ()>,
        grace: Duration,
    ) {
        let (alive, ended) = watch::channel(());
        tokio::select! {
            () = self.accept(&service, &ended) => {}
            () = stop => {}
        }
        let _ = std::fs::remove_file(&self.path);
        drop(ended);
        // What stands in the queue of the socket was there before its name went.
        let rest = async {
            while let Ok(Ok((stream, _))) = timeout(QUEUE, self.listener.accept()).await {
                tokio::spawn(connection(stream, Arc::clone(&service), alive.subscribe()));
            }
            alive.closed().await;
        };
        let _ = timeout(grace, rest).await;
    }

    /// Accepts for ever.
    async fn accept(&self, service: &Arc<Service>, guard: &watch::Receiver<()>) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(connection(stream, Arc::clone(service), guard.clone()));
                }
                // Too many open files, for one: others end.
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

/// How long the queue of a socket without a name is looked at.
const QUEUE: Duration = Duration::from_millis(50);

/// Serves a connection to its end. What goes wrong with it is the client's to notice. It is alive as long as its guard.
async fn connection(stream: UnixStream, service: Arc<Service>, guard: watch::Receiver<()>) {
    let served = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .serve_connection(
            TokioIo::new(Connection::new(stream)),
            service_fn(move |request| Arc::clone(&service).call(request)),
        );
    let _ = served.await;
    drop(guard);
}
