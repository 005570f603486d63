# SPDX-License-Identifier: ISC
#
# docker build -t usher .
# docker run -p 8080:8080 -e USHER_JWT_SECRET="$(openssl rand -hex 32)" usher
#
# The configuration is /etc/usher/usher.yaml (contrib/docker/usher.yaml); mount your own over it.
# Handlers need what they are written in: FROM this image, and add python3 or nodejs.

FROM debian:12 AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends autoconf automake build-essential pkg-config \
    libevent-dev libssl-dev libyaml-dev uthash-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN ./autogen.sh \
 && ./configure --prefix=/usr --sysconfdir=/etc \
 && make -j"$(nproc)" profiled \
 && make install-strip DESTDIR=/out

FROM debian:12-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libevent-core-2.1-7 libssl3 libyaml-0-2 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --no-create-home --home-dir /var/lib/usher usher \
 && install -d -o usher -g usher /run/usher /var/lib/usher
COPY --from=build /out/ /
COPY contrib/docker/usher.yaml /etc/usher/usher.yaml
USER usher
WORKDIR /var/lib/usher
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s CMD ["usherctl", "status"]
CMD ["usherd"]
