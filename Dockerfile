# manifuse in a container, for the sidecar of Argo CD's repo-server and for CI.
#
#   docker build -t manifuse .                         manifuse alone, statically linked, nothing else
#   docker build -t manifuse --target with-tools .     also helm, kustomize and a shell, for charts and kustomizations
#
# Both run as uid 999, as the repo-server does: the socket between them is open to that user alone. In AVP's usual set-up, an
# init container that downloads a binary into a shared folder, the binary of the first image runs on any base image.

FROM docker.io/library/rust:1.95-bookworm AS build
RUN apt-get update \
    && apt-get install --no-install-recommends --yes cmake musl-tools \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY rust-toolchain.toml Cargo.toml Cargo.lock ./
COPY src src
COPY benches benches
# The name of the C library's target for this machine: the build is the same on amd64 and arm64.
RUN target="$(uname -m)-unknown-linux-musl" \
    && rustup target add "$target" \
    && cargo build --locked --release --bin manifuse --target "$target" \
    && mkdir -p /image/usr/local/bin /image/etc/ssl/certs /image/tmp /image/home/argocd \
    && cp "target/$target/release/manifuse" /image/usr/local/bin/manifuse \
    && ln -s manifuse /image/usr/local/bin/argocd-vault-plugin \
    && ln -s manifuse /image/usr/local/bin/sops \
    && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt \
    && echo 'argocd:x:999:999::/home/argocd:/sbin/nologin' >/image/etc/passwd \
    && echo 'argocd:x:999:' >/image/etc/group \
    && chmod 1777 /image/tmp

FROM docker.io/library/debian:bookworm-slim AS tools
ARG HELM=v4.2.0
ARG KUSTOMIZE=v5.8.1
RUN apt-get update \
    && apt-get install --no-install-recommends --yes ca-certificates curl \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /tools
# Each archive is compared with the checksum that its project publishes beside it.
RUN arch="$(dpkg --print-architecture)" \
    && helm="helm-$HELM-linux-$arch.tar.gz" \
    && curl -fsSLO "https://get.helm.sh/$helm" \
    && curl -fsSL "https://get.helm.sh/$helm.sha256sum" | sha256sum --check \
    && tar -xzf "$helm" --strip-components=1 "linux-$arch/helm" \
    && kustomize="kustomize_${KUSTOMIZE}_linux_$arch.tar.gz" \
    && releases="https://github.com/kubernetes-sigs/kustomize/releases/download/kustomize%2F$KUSTOMIZE" \
    && curl -fsSLO "$releases/$kustomize" \
    && curl -fsSL "$releases/checksums.txt" | grep " $kustomize\$" | sha256sum --check \
    && tar -xzf "$kustomize" kustomize

FROM docker.io/library/debian:bookworm-slim AS with-tools
COPY --from=tools /tools/helm /tools/kustomize /usr/local/bin/
COPY --from=build /image/ /
ENV HOME=/tmp SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 999:999
ENTRYPOINT ["/usr/local/bin/manifuse"]

FROM scratch AS alone
COPY --from=build /image/ /
ENV HOME=/tmp SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 999:999
ENTRYPOINT ["/usr/local/bin/manifuse"]
