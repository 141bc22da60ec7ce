//! The published `asherah` crate behind the fewest napi lines that give the calls of its Node binding.

use std::sync::Arc;

use asherah::aead::AES256GCM;
use asherah::api::new_session_factory;
use asherah::kms::StaticKMS;
use asherah::metastore::InMemoryMetastore;
use asherah::session::{PublicFactory, PublicSession};
use asherah::types::DataRowRecord;
use asherah::{Config, CryptoPolicy};
use napi::bindgen_prelude::{AsyncTask, Buffer, Error, Result};
use napi::{Env, Task};
use napi_derive::napi;

type Kms = StaticKMS<AES256GCM>;
type Factory = PublicFactory<AES256GCM, Kms, InMemoryMetastore>;
type Session = PublicSession<AES256GCM, Kms, InMemoryMetastore>;

fn to_napi(error: anyhow::Error) -> Error {
    Error::from_reason(format!("{error:#}"))
}

fn encrypt(session: &Session, plaintext: &[u8]) -> Result<String> {
    Ok(session.encrypt(plaintext).map_err(to_napi)?.to_json_fast())
}

fn decrypt(session: &Session, json: &str) -> Result<Vec<u8>> {
    let record: DataRowRecord = serde_json::from_str(json).map_err(|error| to_napi(error.into()))?;
    session.decrypt(record).map_err(to_napi)
}

#[napi]
pub struct PeerFactory {
    inner: Factory,
}

#[napi]
impl PeerFactory {
    #[napi(constructor)]
    pub fn new(cache_sessions: bool, session_cache_max_size: u32) -> Result<Self> {
        let crypto = Arc::new(AES256GCM::new());
        let kms = Arc::new(StaticKMS::new(crypto.clone(), vec![7_u8; 32]).map_err(to_napi)?);
        let policy = CryptoPolicy {
            cache_sessions,
            session_cache_max_size: session_cache_max_size as usize,
            session_cache_eviction_policy: "lru".into(),
            shared_intermediate_key_cache: false,
            ..CryptoPolicy::default()
        };
        let config = Config::new("service", "product").with_policy(policy);
        Ok(Self { inner: new_session_factory(config, Arc::new(InMemoryMetastore::new()), kms, crypto) })
    }

    #[napi]
    pub fn get_session(&self, partition: String) -> PeerSession {
        PeerSession { inner: Arc::new(self.inner.get_session(&partition)) }
    }

    /// The module-level form of the binding: a session for the call.
    #[napi]
    pub fn encrypt(&self, partition: String, plaintext: Buffer) -> Result<String> {
        encrypt(&self.inner.get_session(&partition), &plaintext)
    }
}

#[napi]
pub struct PeerSession {
    inner: Arc<Session>,
}

#[napi]
impl PeerSession {
    #[napi]
    pub fn encrypt(&self, plaintext: Buffer) -> Result<String> {
        encrypt(&self.inner, &plaintext)
    }

    #[napi]
    pub fn decrypt(&self, json: String) -> Result<Buffer> {
        Ok(decrypt(&self.inner, &json)?.into())
    }

    #[napi]
    pub fn encrypt_async(&self, plaintext: Buffer) -> AsyncTask<EncryptTask> {
        AsyncTask::new(EncryptTask { session: self.inner.clone(), plaintext })
    }

    #[napi]
    pub fn decrypt_async(&self, json: String) -> AsyncTask<DecryptTask> {
        AsyncTask::new(DecryptTask { session: self.inner.clone(), json })
    }
}

pub struct EncryptTask {
    session: Arc<Session>,
    plaintext: Buffer,
}

impl Task for EncryptTask {
    type Output = String;
    type JsValue = String;
    fn compute(&mut self) -> Result<String> {
        encrypt(&self.session, &self.plaintext)
    }
    fn resolve(&mut self, _env: Env, output: String) -> Result<String> {
        Ok(output)
    }
}

pub struct DecryptTask {
    session: Arc<Session>,
    json: String,
}

impl Task for DecryptTask {
    type Output = Vec<u8>;
    type JsValue = Buffer;
    fn compute(&mut self) -> Result<Vec<u8>> {
        decrypt(&self.session, &self.json)
    }
    fn resolve(&mut self, _env: Env, output: Vec<u8>) -> Result<Buffer> {
        Ok(output.into())
    }
}
